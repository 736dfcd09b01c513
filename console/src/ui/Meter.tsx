import { classes } from './classes'
import styles from './Meter.module.css'

/** From here on little is left. */
const HIGH = 0.8

interface MeterProps {
  /** What is measured, for screen readers. */
  label: string
  /** The part that is used, 0 to 1. */
  share: number
  /** What stands above the bar. */
  text: string
}

/** How much of something limited is used. */
export function Meter({ label, share, text }: MeterProps) {
  const part = Math.min(1, Math.max(0, share))
  return (
    <div className={styles.meter} role="meter" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(part * 100)} aria-valuetext={text}>
      <span className={styles.text}>{text}</span>
      <svg className={styles.track} viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden>
        <rect className={classes(styles.bar, part >= 1 ? styles.full : part >= HIGH && styles.high)} width={part * 100} height="4" />
      </svg>
    </div>
  )
}
