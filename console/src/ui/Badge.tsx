import type { ReactNode } from 'react'
import { classes } from './classes'
import styles from './Badge.module.css'

export type Tone = 'neutral' | 'success' | 'warning' | 'danger' | 'info'

/** A short state, whose colour repeats what its text says. */
export function Badge({ tone = 'neutral', children }: { tone?: Tone; children: ReactNode }) {
  return <span className={classes(styles.badge, styles[tone])}>{children}</span>
}
