import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import styles from './Button.module.css'
import { classes } from './classes'

/** A link that looks like a button: the one thing to do next on a page. */
export function ButtonLink({ to, children }: { to: string; children: ReactNode }) {
  return (
    <Link to={to} className={classes(styles.button, styles.primary, styles.link)}>
      {children}
    </Link>
  )
}
