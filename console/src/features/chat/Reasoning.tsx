import { Brain } from 'lucide-react'
import styles from './chat.module.css'
import { useMessages } from './messages'

/** What the model thought before it answered, folded. */
export function Reasoning({ text, isOpen = false }: { text: string; isOpen?: boolean }) {
  const t = useMessages()
  return (
    <details className={styles.fold} open={isOpen || undefined}>
      <summary>
        <Brain size={14} aria-hidden /> {t.reasoning}
      </summary>
      <div className={styles.reasoning}>{text}</div>
    </details>
  )
}
