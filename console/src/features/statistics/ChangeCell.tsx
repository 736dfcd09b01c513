import type { Schema } from '@/api/types'
import { useFormat } from '@/i18n/format'
import { classes } from '@/ui/classes'
import { useMessages } from './messages'
import { whisker } from './points'
import styles from './statistics.module.css'

interface ChangeCellProps {
  before: string
  after: string
  change: Schema<'Change'> | null | undefined
  /** The largest change that the bars of a column show. */
  limit: number
  /** The change is a difference of shares rather than relative. */
  isDifference?: boolean
}

/** A change with its confidence interval, whose colour tells better from worse where it is evident. */
export function ChangeCell({ before, after, change, limit, isDifference }: ChangeCellProps) {
  const t = useMessages()
  const f = useFormat()
  const values = before === after ? before : `${before} → ${after}`
  if (!change) return values
  const signed = (value: number) => `${value > 0 ? '+' : ''}${f.percent(value)}`
  const { low, middle, high } = whisker(change, limit)
  const hasInterval = change.low !== null && change.high !== null
  const text = isDifference ? t.points(`${change.change > 0 ? '+' : ''}${f.number(change.change * 100)}`) : signed(change.change)
  return (
    <span className={classes(styles.change, change.is_evident && (change.change > 0 ? styles.worse : styles.better))}>
      <span>{values}</span>
      {change.change !== 0 && (change.is_evident ? <strong>{text}</strong> : <span>{text}</span>)}
      {hasInterval && (
        <>
          <span className={styles.note}>{t.interval(signed(change.low as number), signed(change.high as number))}</span>
          <svg className={styles.bar} viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden>
            <line className={styles.axis} x1="50" x2="50" y1="0" y2="10" />
            <line className={styles.range} x1={low} x2={high} y1="5" y2="5" />
            <rect className={styles.mark} x={middle - 1.5} y="2" width="3" height="6" />
          </svg>
        </>
      )}
    </span>
  )
}
