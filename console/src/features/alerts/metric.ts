import type { Schema } from '@/api/types'
import type { format } from '@/i18n/format'

export type Metric = Schema<'AlertMetric'>

export const METRICS: Metric[] = [
  'response_time_p95',
  'response_time_p99',
  'response_time_p50',
  'response_time_mean',
  'error_rate',
  'memory_usage',
  'request_rate',
  'cost',
  'performance_metric',
]
export const AGGREGATES: Schema<'AlertAggregate'>[] = ['mean', 'sum', 'min', 'max', 'last', 'p95']

/** What a rule measures, and when that is a violation. */
export interface Definition {
  metric: Metric
  selector: Schema<'Selector'>
  comparison: Schema<'Comparison'>
  threshold: number
  recover_threshold?: number | null
}

/** The context of an incident: the rule and the measurement as they were when it opened. */
export interface IncidentContext {
  rule: Definition & { name: string }
  samples: number
  from: string
  to: string
  deliveries?: { opened?: string[]; resolved?: string[] }
}

export function contextOf(event: Schema<'AlertEventView'>): IncidentContext {
  return event.context as unknown as IncidentContext
}

/** A value in the unit of its metric. */
export function showValue(metric: Metric, value: number | null | undefined, f: typeof format, perMinute: string): string {
  if (value === null || value === undefined) return f.number(null)
  switch (metric) {
    case 'response_time_mean':
    case 'response_time_p50':
    case 'response_time_p95':
    case 'response_time_p99':
      return f.duration(value * 1000)
    case 'error_rate':
      return f.percent(value)
    case 'memory_usage':
      return `${f.number(value)} MB`
    case 'request_rate':
      return `${f.number(value)}${perMinute}`
    case 'cost':
      return f.money(value)
    case 'performance_metric':
      return f.number(value)
  }
}

/** The fields of `selector` that a metric takes. */
export function selectorFields(metric: Metric): (keyof Schema<'Selector'>)[] {
  if (metric === 'cost') return ['provider', 'model']
  if (metric === 'performance_metric') return ['metric_name', 'aggregate', 'tags']
  return ['endpoint', 'version']
}

/** Tags as lines `name:value`. */
export function linesOfTags(tags: Record<string, string> | undefined): string[] {
  return Object.entries(tags ?? {}).map(([name, value]) => `${name}:${value}`)
}

/** The tags that lines `name:value` describe. */
export function tagsOfLines(lines: string[]): Record<string, string> {
  return Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':')
      return colon < 0 ? [line.trim(), ''] : [line.slice(0, colon).trim(), line.slice(colon + 1).trim()]
    }),
  )
}
