import type { Schema } from '@/api/types'
import type { Metric } from './metric'

const MINUTE = 60_000
const STEPS = { minute: MINUTE, hour: 60 * MINUTE, day: 24 * 60 * MINUTE } as const
/** A chart shows at least as much before an incident. */
const BEFORE = 30 * MINUTE
const AFTER = 30 * MINUTE

export interface Span {
  from: number
  to: number
}

export interface Points {
  times: number[]
  values: (number | null)[]
}

/** The time around an incident: its windows before, and until a while after its end. */
export function spanOf(event: { opened_at: string; resolved_at: string | null }, windowSeconds: number, now: number): Span {
  const opened = new Date(event.opened_at).getTime()
  const end = event.resolved_at ? new Date(event.resolved_at).getTime() + AFTER : now
  const from = opened - Math.max(BEFORE, windowSeconds * 1000 * 4)
  const to = Math.min(now, Math.max(end, opened + AFTER))
  return { from: from - (from % MINUTE), to: to - (to % MINUTE) + MINUTE }
}

/** The values of a metric of requests from the sums of their buckets. */
export function requestPoints(metric: Metric, sums: Schema<'Sums_EndpointStats'>): Points {
  const step = STEPS[sums.granularity]
  const points = sums.data.map((row) => [new Date(row.time ?? sums.from).getTime(), requestValue(metric, row, step / MINUTE)] as const)
  return metric === 'request_rate' ? filled(points, { from: new Date(sums.from).getTime(), to: Math.min(Date.now(), new Date(sums.to).getTime()) }, step) : unzip(points)
}

function requestValue(metric: Metric, row: Schema<'EndpointStats'>, minutes: number): number | null {
  switch (metric) {
    case 'response_time_mean':
      return row.avg_duration
    case 'response_time_p50':
      return row.p50
    case 'response_time_p95':
      return row.p95
    case 'response_time_p99':
      return row.p99
    case 'error_rate':
      return row.error_rate
    case 'memory_usage':
      return row.peak_memory
    case 'request_rate':
      return row.requests / minutes
    default:
      return null
  }
}

/** The points of a bucket that are missing are zero. */
export function filled(points: (readonly [number, number | null])[], span: Span, step: number): Points {
  const known = new Map(points)
  const all: (readonly [number, number | null])[] = []
  for (let time = span.from - (span.from % step); time < span.to; time += step) all.push([time, known.get(time) ?? 0])
  return unzip(all)
}

function unzip(points: (readonly [number, number | null])[]): Points {
  return { times: points.map(([time]) => time), values: points.map(([, value]) => value) }
}

/** The cost of calls by minute or hour. */
export function costPoints(usage: Schema<'UsageSums'>, span: Span, granularity: 'minute' | 'hour'): Points {
  const points = usage.data.map((row) => [new Date(row.time ?? 0).getTime(), row.cost_usd] as const)
  return filled(points, span, STEPS[granularity])
}

export function chartPoints(chart: Schema<'Chart'>): Points {
  return unzip((chart.data[0]?.points ?? []).map((point) => [new Date(point.time).getTime(), point.value] as const))
}

/** The points with the ends of their span, so that a chart shows all of it; none if there are no values. */
export function within({ times, values }: Points, span: Span): Points {
  if (times.length === 0) return { times, values }
  const before = (times[0] ?? 0) > span.from ? [span.from] : []
  const after = (times.at(-1) ?? 0) < span.to ? [span.to] : []
  return { times: [...before, ...times, ...after], values: [...before.map(() => null), ...values, ...after.map(() => null)] }
}
