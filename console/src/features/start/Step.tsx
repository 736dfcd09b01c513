import { Check } from 'lucide-react'
import type { ReactNode } from 'react'
import { classes } from '@/ui/classes'
import { Card } from '@/ui/Page'
import { useMessages } from './messages'
import styles from './start.module.css'

/** A numbered step of the guide. */
export function Step({ number, title, isDone, children }: { number: number; title: string; isDone: boolean; children: ReactNode }) {
  const t = useMessages()
  return (
    <li className={styles.step}>
      <span className={classes(styles.number, isDone && styles.done)}>{isDone ? <Check size={16} role="img" aria-label={t.done} /> : number}</span>
      <Card title={title}>{children}</Card>
    </li>
  )
}
