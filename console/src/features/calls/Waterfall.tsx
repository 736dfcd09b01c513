import type { Schema } from '@/api/types'
import { useFormat } from '@/i18n/format'
import { classes } from '@/ui/classes'
import { useMessages } from './messages'
import styles from './Waterfall.module.css'

interface Bar {
  name: string
  note?: string
  start: number
  end: number
  isFailed?: boolean
}

/** The attempts of a call one after the other, the wait for the first byte, and the rest. */
export function Waterfall({ call }: { call: Schema<'LlmCallView'> }) {
  const t = useMessages()
  const f = useFormat()
  const bars: Bar[] = []
  let at = 0
  call.attempts.forEach((attempt, index) => {
    const end = at + attempt.duration_ms
    bars.push({ name: `${t.attempt(index + 1)} · ${attempt.target}`, note: attempt.error ?? String(attempt.status ?? ''), start: at, end, isFailed: attempt.error !== null })
    at = end
  })
  const total = call.latency_ms ?? at
  if (call.first_token_ms !== null) bars.push({ name: t.firstToken, note: t.toFirstToken, start: 0, end: call.first_token_ms })
  if (call.latency_ms !== null) bars.push({ name: t.restOfBody, note: t.toEnd, start: call.first_token_ms ?? 0, end: call.latency_ms })
  const width = Math.max(total, at, 1)
  return (
    <ol className={styles.waterfall}>
      {bars.map((bar, index) => (
        <li key={index} className={styles.row}>
          <span className={styles.name}>
            {bar.name} {bar.note && <span className={styles.note}>{bar.note}</span>}
          </span>
          <svg className={styles.track} viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden>
            <rect className={classes(styles.bar, bar.isFailed && styles.failed)} x={(bar.start / width) * 1000} width={Math.max(3, ((bar.end - bar.start) / width) * 1000)} height="10" />
          </svg>
          <span className={styles.time}>{f.duration(bar.end - bar.start)}</span>
        </li>
      ))}
      {call.attempts.flatMap((attempt) => attempt.omitted ?? []).map((omitted) => (
        <li key={omitted} className={styles.omitted}>
          {t.omitted}: {omitted}
        </li>
      ))}
    </ol>
  )
}
