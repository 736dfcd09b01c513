import { useVirtualizer } from '@tanstack/react-virtual'
import { memo, type RefObject, useCallback, useEffect } from 'react'
import styles from './chat.module.css'
import { type MessageActions, MessageRow } from './MessageRow'
import { useMessages } from './messages'
import type { Message, MessageTree } from './tree'

const ESTIMATED_HEIGHT = 160
/** Older messages are read before the reader comes to the first. */
const LOAD_OLDER_BEFORE = 10

interface StoredMessagesProps {
  scroller: RefObject<HTMLDivElement | null>
  path: Message[]
  tree: MessageTree
  costs: Map<string, number>
  /** Reasoning that arrived while the page was open, by message. */
  reasoning: Map<string, string>
  isLocked: boolean
  isLive: boolean
  hasOlder: boolean
  onLoadOlder: () => void
  actions: MessageActions
}

/** The stored messages of a branch, of which those in view are drawn. It isn't drawn again while an answer arrives. */
export const StoredMessages = memo(function StoredMessages(props: StoredMessagesProps) {
  const { scroller, path, tree, costs, reasoning, isLocked, isLive, hasOlder, onLoadOlder, actions } = props
  const t = useMessages()
  const virtual = useVirtualizer({
    count: path.length,
    getScrollElement: useCallback(() => scroller.current, []),
    getItemKey: useCallback((index: number) => path[index]?.id ?? index, [path]),
    estimateSize: useCallback(() => ESTIMATED_HEIGHT, []),
    // Messages that come before the others don't move those that are read.
    anchorTo: 'end',
    overscan: 4,
    paddingStart: 16,
  })
  const first = virtual.getVirtualItems()[0]?.index ?? 0
  const isNearStart = first < LOAD_OLDER_BEFORE
  useEffect(() => {
    if (hasOlder && isNearStart) onLoadOlder()
  }, [hasOlder, isNearStart, path.length])
  return (
    <>
      {hasOlder && path.length > 0 && first === 0 && <p className={styles.note}>{t.loadingOlder}</p>}
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
                reasoning={reasoning.get(message.id)}
                toolName={message.role === 'tool' ? nameOfTool(path, item.index) : undefined}
                isLocked={isLocked}
                isUnanswered={item.index === path.length - 1 && !isLive}
                actions={actions}
              />
            </div>
          )
        })}
      </div>
    </>
  )
})

/** The name of the tool whose result a message is. */
function nameOfTool(path: Message[], index: number): string | undefined {
  const id = path[index]?.tool_call_id
  for (let at = index - 1; at >= 0; at -= 1) {
    const call = path[at]?.tool_calls?.find((each) => each.id === id)
    if (call) return call.function.name
  }
  return undefined
}
