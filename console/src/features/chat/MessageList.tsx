import { ArrowDown } from 'lucide-react'
import { useMemo, useRef, useState } from 'react'
import { headersOf, send, urlOf } from '@/api/request'
import { readEvents } from '@/api/events'
import { Button } from '@/ui/Button'
import { ConfirmDialog } from '@/ui/Dialog'
import { ErrorMessage, Skeleton } from '@/ui/Feedback'
import styles from './chat.module.css'
import { LiveAnswer } from './LiveAnswer'
import type { MessageActions } from './MessageRow'
import { useMessages } from './messages'
import { StoredMessages } from './StoredMessages'
import type { Message } from './tree'
import { applyEvent, NO_ANSWER } from './turn'
import { useCosts } from './useCosts'
import { useStickToEnd } from './useStickToEnd'
import type { Conversation } from './useConversation'

const SILENCE = 60_000

/** The messages of the branch that is shown, and below them the answer that arrives. */
export function MessageList({ conversation }: { conversation: Conversation }) {
  const t = useMessages()
  const { path, tree, live, lock, isLoaded, hasOlder } = conversation
  const costs = useCosts(conversation.id)
  const [removed, setRemoved] = useState<Message | null>(null)
  const { scroller, content, isAway, toEnd } = useStickToEnd(conversation.id)
  const latest = useRef(conversation)
  latest.current = conversation
  const actions = useMemo<MessageActions>(
    () => ({
      showBranch: (id) => latest.current.showBranch(id),
      edit: (message, text) => {
        toEnd()
        const { content: before } = message
        latest.current.ask(typeof before === 'string' ? text : [{ type: 'text', text }, ...before.filter((part) => part.type !== 'text')], message.parent_id)
      },
      regenerate: (message) => {
        toEnd()
        latest.current.regenerate(message)
      },
      remove: setRemoved,
      loadReasoning: (message) => loadReasoning(message),
    }),
    [],
  )

  return (
    <div className={styles.messages}>
      <div ref={scroller} className={styles.messagesScroll} tabIndex={0} role="log" aria-label={t.conversation} aria-live="off">
        <div ref={content}>
          {conversation.messagesError && <ErrorMessage error={conversation.messagesError} onRetry={() => void conversation.refresh()} />}
          {!isLoaded && !conversation.messagesError && !conversation.sessionError && <Skeleton lines={6} />}
          {isLoaded && path.length === 0 && !live && <p className={styles.note}>{t.empty}</p>}
          <StoredMessages scroller={scroller} path={path} tree={tree} costs={costs} reasoning={conversation.reasoning} isLocked={lock !== null || live !== null} isLive={live !== null} hasOlder={isLoaded && hasOlder} onLoadOlder={conversation.loadOlder} actions={actions} />
          <LiveAnswer conversation={conversation} />
        </div>
      </div>
      {isAway && (
        <Button className={styles.toEnd} icon={<ArrowDown size={16} />} onClick={toEnd}>
          {t.toNewest}
        </Button>
      )}
      <ConfirmDialog title={t.deleteMessage} description={t.deleteMessageHint} action={t.delete} isOpen={removed !== null} onClose={() => setRemoved(null)} onConfirm={() => (removed ? conversation.remove(removed) : Promise.resolve())} />
    </div>
  )
}

/** The reasoning before a stored answer. It isn't part of the message: the events of its turn have it while they are kept. */
async function loadReasoning(message: Message): Promise<string> {
  let answer = NO_ANSWER
  const url = urlOf('/api/v1/chat_sessions/{id}/turns/{turn}/stream', { id: message.session_id, turn: message.turn_id ?? '' }, { after: 0 })
  const response = await send(url, { headers: headersOf('get', { accept: 'text/event-stream' }) })
  await readEvents(response, (events) => (answer = events.reduce(applyEvent, answer)), SILENCE)
  return answer.parts.find(({ messageId }) => messageId === message.id)?.reasoning ?? ''
}
