import type { Schema } from '@/api/types'
import { useFormat } from '@/i18n/format'
import { Badge, type Tone } from '@/ui/Badge'
import { measurementOf, verdictOf } from './measurement'
import { useMessages } from './messages'
import styles from './suggestions.module.css'

const TONES: Record<'gain' | 'loss' | 'none', Tone> = { gain: 'success', loss: 'danger', none: 'neutral' }

/** The measured gain in a word. */
export function MeasuredGain({ suggestion }: { suggestion: Schema<'SuggestionView'> }) {
  const t = useMessages()
  const f = useFormat()
  const verdict = verdictOf(suggestion)
  if (!verdict) return f.percent(null)
  return <Badge tone={TONES[verdict]}>{verdict === 'none' ? t.notEvident : f.percent(suggestion.measured_gain)}</Badge>
}

/** The measured gain with its interval and samples, or why there is none. */
export function MeasuredGainDetails({ suggestion }: { suggestion: Schema<'SuggestionView'> }) {
  const t = useMessages()
  const f = useFormat()
  const measurement = measurementOf(suggestion)
  if (!measurement) return <span className={styles.note}>{suggestion.status === 'dismissed' ? t.notMeasuredDismissed : t.notMeasured}</span>
  const { low, high, confidence, samples } = measurement
  return (
    <div>
      <strong>{f.percent(suggestion.measured_gain)}</strong>{' '}
      {(suggestion.measured_gain ?? 0) < 0 && `(${t.slower}) `}
      <Badge tone={TONES[verdictOf(suggestion) ?? 'none']}>{measurement.is_evident ? t.evident : t.notEvident}</Badge>
      <div className={styles.note}>
        {suggestion.measured_version && `${t.measuredIn(suggestion.measured_version)} · `}
        {low !== null && high !== null ? t.interval(f.percent(low), f.percent(high), f.percent(confidence)) : t.noInterval}
        {' · '}
        {t.samples(f.number(samples.before), f.number(samples.after))}
      </div>
    </div>
  )
}
