import { useCallback, useEffect, useRef, useState } from 'react'
import { type ApiError, request } from '@/api/request'
import type { Message } from './tree'

const PAGE_SIZE = 200

export interface Stored {
  messages: Message[]
  isLoaded: boolean
  hasOlder: boolean
  error: ApiError | null
  loadOlder: () => void
  /** Reads what is newer than the messages that are there, and returns what it read. */
  refresh: () => Promise<Message[]>
  /** Replaces a message that was changed. */
  replace: (message: Message) => void
}

interface State {
  sessionId: string | null
  byId: Map<string, Message>
  isLoaded: boolean
  cursor: string | null
  error: ApiError | null
}

const nothing = (sessionId: string | null): State => ({ sessionId, byId: new Map(), isLoaded: false, cursor: null, error: null })

/** The stored messages of a session, from the newest page on; older ones as they are needed. */
export function useStoredMessages(sessionId: string | null): Stored {
  const [state, setState] = useState<State>(() => nothing(sessionId))
  const isLoading = useRef(false)
  const current = state.sessionId === sessionId ? state : nothing(sessionId)
  const latest = useRef(current)
  latest.current = current

  const add = useCallback(
    (messages: Message[], changes: Partial<State>) =>
      setState((previous) => {
        const base = previous.sessionId === sessionId ? previous : nothing(sessionId)
        const byId = new Map(base.byId)
        for (const message of messages) byId.set(message.id, message)
        return { ...base, error: null, ...changes, byId }
      }),
    [sessionId],
  )
  const fail = useCallback((error: ApiError) => setState((previous) => ({ ...(previous.sessionId === sessionId ? previous : nothing(sessionId)), error })), [sessionId])

  const refresh = useCallback(async () => {
    const found: Message[] = []
    if (!sessionId) return found
    try {
      let cursor: string | undefined
      for (;;) {
        const page = await request('get', '/api/v1/messages', { query: { session_id: sessionId, limit: PAGE_SIZE, cursor } })
        found.push(...page.data)
        const { byId, isLoaded } = latest.current
        if (!isLoaded) {
          add(found, { isLoaded: true, cursor: page.next_cursor ?? null })
          return found
        }
        // Numbers have no gaps: what is older than a message that is there, is there too.
        if (!page.next_cursor || page.data.some((message) => byId.has(message.id))) {
          add(found, {})
          return found
        }
        cursor = page.next_cursor
      }
    } catch (error) {
      fail(error as ApiError)
      return found
    }
  }, [sessionId, add, fail])

  const loadOlder = useCallback(() => {
    const { cursor } = latest.current
    if (!sessionId || !cursor || isLoading.current) return
    isLoading.current = true
    request('get', '/api/v1/messages', { query: { session_id: sessionId, limit: PAGE_SIZE, cursor } })
      .then((page) => add(page.data, { cursor: page.next_cursor ?? null }), fail)
      .finally(() => {
        isLoading.current = false
      })
  }, [sessionId, add, fail])

  const replace = useCallback((message: Message) => add([message], {}), [add])

  useEffect(() => void refresh(), [refresh])

  return { messages: useValues(current.byId), isLoaded: current.isLoaded, hasOlder: current.cursor !== null, error: current.error, loadOlder, refresh, replace }
}

/** The values of a map, as the same array while the map is the same. */
function useValues(byId: Map<string, Message>): Message[] {
  const kept = useRef<{ byId: Map<string, Message>; values: Message[] }>(undefined)
  if (kept.current?.byId !== byId) kept.current = { byId, values: [...byId.values()] }
  return kept.current.values
}
