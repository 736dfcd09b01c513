import { useVirtualizer } from '@tanstack/react-virtual'
import { ArrowDown } from 'lucide-react'
import { useEffect, useMemo, useRef, useState } from 'react'
import { headersOf, send, urlOf } from '@/api/request'
import { readEvents } from '@/api/events'
import { Button } from '@/ui/Button'
import { ConfirmDialog } from '@/ui/Dialog'
import { ErrorMessage, Skeleton } from '@/ui/Feedback'
import styles from './chat.module.css'
import { LiveAnswer } from './LiveAnswer'
import { type MessageActions, MessageRow } from './MessageRow'
import { useMessages } from './messages'
import type { Message } from './tree'
import { applyEvent, NO_ANSWER } from './turn'
import { useCosts } from './useCosts'
import { useStickToEnd } from './useStickToEnd'
import type { Conversation } from './useConversation'

const ESTIMATED_HEIGHT = 160
/** Older messages are read before the reader comes to the first. */
const LOAD_OLDER_AT = 2_000
const SILENCE = 60_000

/** The messages of the branch that is shown, and below them the answer that arrives. */
export function MessageList({ conversation }: { conversation: Conversation }) {
  const t = useMessages()
  const { path, tree, live, lock, isLoaded, hasOlder } = conversation
  const costs = useCosts(conversation.id)
  const [removed, setRemoved] = useState<Message | null>(null)
  const { scroller, content, isAway, toEnd } = useStickToEnd(conversation.id)
  const virtual = useVirtualizer({
    count: path.length,
    getScrollElement: () => scroller.current,
    getItemKey: (index) => path[index]?.id ?? index,
    estimateSize: () => ESTIMATED_HEIGHT,
    // Messages that come before the others don't move those that are read.
    anchorTo: 'end',
    overscan: 4,
    paddingStart: 16,
  })
  const first = virtual.getVirtualItems()[0]?.index ?? 0
  const isNearStart = first < 10 || (scroller.current?.scrollTop ?? Infinity) < LOAD_OLDER_AT
  useEffect(() => {
    if (isLoaded && hasOlder && isNearStart) conversation.loadOlder()
  }, [isLoaded, hasOlder, isNearStart, path.length])

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
          {isLoaded && hasOlder && path.length > 0 && first === 0 && <p className={styles.note}>{t.loadingOlder}</p>}
          {isLoaded && path.length === 0 && !live && <p className={styles.note}>{t.empty}</p>}
          <div className={styles.rows} style={{ height: virtual.getTotalSize() }}>
            {virtual.getVirtualItems().map((item) => {
              const message = path[item.index]
              if (!message) return null
              const siblings = tree.siblings(message)
              const index = siblings.findIndex(({ id }) => id === message.id)
              return (
                <div key={item.key} ref={virtual.measureElement} data-index={item.index} className={styles.row} style={{ transform: `translateY(${item.start}px)` }}>
                  <MessageRow
                    message={message}
                    previousId={siblings[index - 1]?.id ?? null}
                    nextId={siblings[index + 1]?.id ?? null}
                    index={index + 1}
                    count={siblings.length}
                    cost={(message.llm_call_id && costs.get(message.llm_call_id)) || null}
                    reasoning={conversation.reasoning.get(message.id)}
                    toolName={message.role === 'tool' ? nameOfTool(path, item.index) : undefined}
                    isLocked={lock !== null || live !== null}
                    isUnanswered={item.index === path.length - 1 && live === null}
                    actions={actions}
                  />
                </div>
              )
            })}
          </div>
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

/** The name of the tool whose result a message is. */
function nameOfTool(path: Message[], index: number): string | undefined {
  const id = path[index]?.tool_call_id
  for (let at = index - 1; at >= 0; at -= 1) {
    const call = path[at]?.tool_calls?.find((each) => each.id === id)
    if (call) return call.function.name
  }
  return undefined
}

/** The reasoning before a stored answer. It isn't part of the message: the events of its turn have it while they are kept. */
async function loadReasoning(message: Message): Promise<string> {
  let answer = NO_ANSWER
  const url = urlOf('/api/v1/chat_sessions/{id}/turns/{turn}/stream', { id: message.session_id, turn: message.turn_id ?? '' }, { after: 0 })
  const response = await send(url, { headers: headersOf('get', { accept: 'text/event-stream' }) })
  await readEvents(response, (events) => (answer = events.reduce(applyEvent, answer)), SILENCE)
  return answer.parts.find(({ messageId }) => messageId === message.id)?.reasoning ?? ''
}
