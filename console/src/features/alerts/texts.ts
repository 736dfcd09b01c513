import type { Schema } from '@/api/types'
import { useFormat } from '@/i18n/format'
import { useMessages } from './messages'
import { type Definition, linesOfTags, showValue } from './metric'

/** Sentences about rules and values, in the units of their metrics. */
export function useTexts() {
  const t = useMessages()
  const f = useFormat()
  const value = (metric: Definition['metric'], amount: number | null | undefined) => showValue(metric, amount, f, t.perMinute)
  const what = (rule: Pick<Definition, 'metric' | 'selector'>) => (rule.metric === 'performance_metric' && rule.selector.metric_name) || t.metrics[rule.metric]
  return {
    value,
    what,
    /** What was measured when an incident opened. */
    observed: (rule: Definition, amount: number) => t.observed(what(rule), value(rule.metric, amount), t.is[rule.comparison], value(rule.metric, rule.threshold)),
    /** When a rule opens an incident. */
    sentence: (rule: Definition & { window_seconds: number; for_seconds: number }) =>
      t.sentence(what(rule), t.is[rule.comparison], value(rule.metric, rule.threshold), f.duration(rule.window_seconds * 1000), rule.for_seconds > 0 ? f.duration(rule.for_seconds * 1000) : ''),
    /** What a rule is restricted to. */
    selector: ({ endpoint, version, provider, model, aggregate, tags }: Schema<'Selector'>) =>
      [endpoint, version, provider, model, aggregate && t.aggregates[aggregate], ...linesOfTags(tags)].filter(Boolean).join(' · '),
  }
}
