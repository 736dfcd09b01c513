import { type ReactNode, useEffect } from 'react'
import { classes } from '@/ui/classes'
import styles from './chat.module.css'
import { SessionList } from './SessionList'

/** The list of sessions beside a conversation; on a phone one or the other. */
export function Layout({ title, selected, isListFirst = false, children }: { title: string; selected?: string; isListFirst?: boolean; children: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · Loam`
  }, [title])
  return (
    <div className={classes(styles.layout, isListFirst && styles.listFirst)}>
      <SessionList selected={selected} />
      <div className={styles.columns}>{children}</div>
    </div>
  )
}
