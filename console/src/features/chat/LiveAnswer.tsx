import { LoaderCircle } from 'lucide-react'
import { Markdown } from '@/markdown/Markdown'
import { Button } from '@/ui/Button'
import styles from './chat.module.css'
import { Content } from './Content'
import { useMessages } from './messages'
import { Reasoning } from './Reasoning'
import { ToolCall, ToolResults } from './ToolCalls'
import type { Conversation } from './useConversation'

/** The answer that arrives, below its question if that isn't stored yet. */
export function LiveAnswer({ conversation }: { conversation: Conversation }) {
  const t = useMessages()
  const { live, queued, lock } = conversation
  if (!live) return null
  const { answer, connection } = live.followed
  const last = answer.parts.length - 1
  const isWaiting = answer.state === 'starting' || (answer.state === 'running' && !answer.parts[last]?.text && !answer.parts[last]?.reasoning)
  return (
    <div className={styles.live}>
      {live.question !== null && (
        <article className={`${styles.message} ${styles.question}`} aria-label={t.you}>
          <div className={styles.bubble}>
            <Content content={live.question} />
          </div>
        </article>
      )}
      {answer.parts.map((part, index) => (
        <article key={index} className={styles.message} aria-label={t.assistant} aria-busy={index === last && answer.state === 'running'} data-live>
          {part.reasoning && <Reasoning text={part.reasoning} isOpen={index === last && !part.text} />}
          {part.text && <Markdown text={part.text} isGrowing={index === last && part.messageId === null} />}
          {part.toolCalls.map((call) => (
            <ToolCall key={call.id} call={call} outcome={part.results[call.id]} />
          ))}
        </article>
      ))}
      <div className={styles.message} role="status">
        {isWaiting && connection.state === 'open' && (
          <p className={styles.small}>
            <LoaderCircle size={14} className={styles.spinner} aria-hidden /> {t.waiting}
          </p>
        )}
        {connection.state === 'waiting' && answer.state !== 'ended' && (
          <div className={styles.lost}>
            <span>{t.reconnecting(String(connection.seconds))}</span>
            <Button onClick={conversation.retry}>{t.tryNow}</Button>
          </div>
        )}
        {queued > 0 && <p className={styles.small}>{t.queued(queued)}</p>}
      </div>
      {answer.state === 'requires_action' && !lock && <ToolResults key={answer.lastEvent} calls={answer.waiting} onSend={conversation.sendResults} />}
    </div>
  )
}
