import { useQueryClient } from '@tanstack/react-query'
import { useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { useRead } from '@/api/hooks'
import { type ApiError, headersOf, request, send, urlOf } from '@/api/request'
import { useCan, useSession } from '@/api/session'
import type { Schema } from '@/api/types'
import { notify } from '@/ui/Toasts'
import { type Beginning, type Followed, Follower } from './follow'
import { type Message, MessageTree } from './tree'
import { NO_ANSWER } from './turn'
import { useStoredMessages } from './useStoredMessages'

export type Content = Schema<'MessageContent'>

const ACTIVE = new Set(['queued', 'running', 'requires_action'])
/** Turns that began elsewhere are noticed after as long. */
const POLL_MS = 5_000

/** The turn whose answer arrives. */
interface Live {
  followed: Followed
  /** The question, until it is stored; null for another answer to a stored one. */
  question: Content | null
  /** The message below which the answer appears. */
  parentId: string | null
}

export interface Conversation {
  id: string
  session: Schema<'ChatSessionView'> | undefined
  sessionError: ApiError | null
  /** Why it can't be written to, if it can't. */
  lock: 'other' | 'archived' | 'permission' | null
  tree: MessageTree
  /** The messages of the branch that is shown, before the answer that arrives. */
  path: Message[]
  isLoaded: boolean
  hasOlder: boolean
  messagesError: ApiError | null
  loadOlder: () => void
  live: Live | null
  queued: number
  /** A question that was refused before it was stored. */
  unsent: Content | null
  /** What a turn that ended said about itself, if it failed. */
  problem: { code: string; message: string } | null
  /** Reasoning of answers that arrived while this page was open, by message. */
  reasoning: Map<string, string>
  ask: (content: Content, parentId?: string | null) => void
  regenerate: (message: Message) => void
  stop: () => Promise<void>
  retry: () => void
  sendResults: (results: Schema<'ToolResult'>[]) => Promise<void>
  showBranch: (messageId: string) => void
  remove: (message: Message) => Promise<void>
  refresh: () => Promise<unknown>
}

/** A conversation: its stored messages, the branch that is shown, and the answer that arrives. */
export function useConversation(id: string): Conversation {
  const client = useQueryClient()
  const can = useCan()
  const { session: me } = useSession()
  const session = useRead('/api/v1/chat_sessions/{id}', { params: { id } }, { refresh: POLL_MS * 2 })
  const turns = useRead('/api/v1/chat_sessions/{id}/turns', { params: { id }, query: { limit: 40 } }, { refresh: POLL_MS, enabled: can('turns:read') })
  const stored = useStoredMessages(id)
  const [live, setLive] = useState<Live | null>(null)
  const [leaf, setLeaf] = useState<string | null | undefined>(undefined)
  const [unsent, setUnsent] = useState<Content | null>(null)
  const [problem, setProblem] = useState<Conversation['problem']>(null)
  const follower = useRef<Follower | null>(null)
  const heads = useRef<Promise<unknown>>(Promise.resolve())
  const reasoning = useRef(new Map<string, string>())
  const seen = useRef(new Set<string>())
  const { refresh, replace } = stored

  const data = session.data?.id === id ? session.data : undefined
  const tree = useMemo(() => new MessageTree(stored.messages), [stored.messages])
  const newest = useRef(0)
  newest.current = useMemo(() => stored.messages.reduce((most, message) => Math.max(most, message.sequence_number), 0), [stored.messages])
  const lock = !data ? null : data.status === 'archived' ? 'archived' : !can('turns:write') ? 'permission' : data.user_id !== null && data.user_id !== me.user?.id ? 'other' : null
  const active = turns.data?.data.filter((turn) => turn.session_id === id && ACTIVE.has(turn.state)) ?? []
  const oldest = active.at(-1)

  const reload = useCallback(async () => {
    const found = await refresh()
    await Promise.all(['/api/v1/chat_sessions/{id}', '/api/v1/chat_sessions/{id}/turns', '/api/v1/llm_calls', 'chat list'].map((key) => client.invalidateQueries({ queryKey: [key] })))
    return found
  }, [refresh, client])

  const follow = useCallback(
    (beginning: Beginning, question: Content | null, parentId: string | null) => {
      follower.current?.close()
      let isQuestionRead = false
      setProblem(null)
      setUnsent(null)
      const begunAt = newest.current
      const begun = new Follower(id, beginning, (followed) => {
        if (follower.current !== begun) return
        const { answer, connection } = followed
        if (answer.turnId) seen.current.add(answer.turnId)
        if (answer.questionId && !isQuestionRead) {
          isQuestionRead = true
          void refresh()
        }
        for (const part of answer.parts) if (part.messageId && part.reasoning) reasoning.current.set(part.messageId, part.reasoning)
        setLive((previous) => previous && { ...previous, followed })
        if (answer.state !== 'ended' && connection.state !== 'failed') return
        if (answer.ended?.error) setProblem(answer.ended.error)
        else if (answer.ended?.state === 'interrupted' && answer.parts.length === 0) setProblem({ code: 'interrupted', message: '' })
        // A request that was repeated after its turn had begun: the list of turns tells how it goes on.
        else if (connection.state === 'failed' && connection.error.code !== 'request_in_progress') setProblem({ code: connection.error.code, message: connection.error.message })
        void reload().then((found) => {
          if (follower.current !== begun) return
          const isStored = found.some((message) => message.role === 'user' && message.sequence_number > begunAt)
          if (question && connection.state === 'failed' && connection.error.code !== 'request_in_progress' && !isStored) setUnsent(question)
          follower.current = null
          setLeaf(undefined)
          setLive(null)
        })
      })
      follower.current = begun
      setLive({ followed: { answer: NO_ANSWER, connection: { state: 'open' } }, question, parentId })
    },
    [id, refresh, reload],
  )

  // Messages that came by another way.
  useEffect(() => {
    if (data && stored.isLoaded && !follower.current && data.message_count > newest.current) void refresh()
  }, [data?.message_count, stored.isLoaded])

  // What was in progress when the page was opened, or began elsewhere.
  useEffect(() => {
    if (!oldest || follower.current) return
    if (seen.current.has(oldest.id)) return void reload()
    follow({ turnId: oldest.id }, oldest.question, oldest.user_message_id ?? oldest.parent_id)
  }, [oldest?.id, oldest?.state, live === null])

  // Somebody else has sent the results of the tools.
  useEffect(() => {
    if (oldest && oldest.state !== 'requires_action') follower.current?.retry()
  }, [oldest?.state])

  useEffect(
    () => () => {
      follower.current?.close()
      follower.current = null
      setLive(null)
      setLeaf(undefined)
      setProblem(null)
    },
    [id],
  )

  const end = leaf === undefined ? (data?.head_id ?? null) : leaf
  const questionId = live?.followed.answer.questionId
  const isQuestionStored = Boolean(questionId && tree.get(questionId))
  const shownEnd = live ? (isQuestionStored ? (questionId as string) : live.parentId) : end
  const path = useMemo(() => tree.pathTo(shownEnd), [tree, shownEnd])

  return {
    id,
    session: data,
    sessionError: session.error,
    lock,
    tree,
    path,
    isLoaded: stored.isLoaded && data !== undefined,
    hasOlder: stored.hasOlder,
    messagesError: stored.error,
    loadOlder: stored.loadOlder,
    live: useMemo(() => (live && isQuestionStored ? { ...live, question: null } : live), [live, isQuestionStored]),
    unsent,
    queued: Math.max(0, active.length - 1),
    problem,
    reasoning: reasoning.current,
    ask: (content, parentId) => {
      const parent = parentId === undefined ? end : parentId
      follow({ path: '/api/v1/chat_sessions/{id}/turns', params: { id }, body: { content, parent_id: parent } }, content, parent)
    },
    regenerate: (message) => {
      const question = tree.pathTo(message.id).findLast(({ role }) => role === 'user')
      if (message.turn_id) follow({ path: '/api/v1/chat_sessions/{id}/turns/{turn}/regenerate', params: { id, turn: message.turn_id }, body: {} }, null, question?.id ?? message.parent_id)
    },
    stop: async () => {
      const turn = live?.followed.answer.turnId
      if (turn) await request('delete', '/api/v1/chat_sessions/{id}/turns/{turn_id}', { params: { id, turn_id: turn } })
    },
    retry: () => follower.current?.retry(),
    sendResults: async (results) => {
      const turn = live?.followed.answer.turnId
      if (!turn) return
      // The answer is read from the turn's stream, and this response isn't awaited: it ends with the turn.
      await sendAndLeave(id, turn, results)
      follower.current?.retry()
    },
    showBranch: (messageId) => {
      const target = tree.leafOf(messageId)
      setLeaf(target)
      if (lock) return
      // One after the other, so that the branch that was chosen last stays.
      heads.current = heads.current
        .then(() => request('patch', '/api/v1/chat_sessions/{id}', { params: { id }, body: { head_id: target }, outlivesPage: true }))
        .then(() => client.invalidateQueries({ queryKey: ['/api/v1/chat_sessions/{id}'] }))
        .catch((cause: ApiError) => notify(cause.message))
    },
    remove: async (message) => {
      await request('delete', '/api/v1/messages/{id}', { params: { id: message.id } })
      replace(await request('get', '/api/v1/messages/{id}', { params: { id: message.id } }))
    },
    refresh: reload,
  }
}

/** Sends results of tools, and leaves the stream that answers once they are accepted. */
async function sendAndLeave(id: string, turn: string, results: Schema<'ToolResult'>[]): Promise<void> {
  const response = await send(urlOf('/api/v1/chat_sessions/{id}/turns/{turn}/tool_results', { id, turn }), {
    method: 'POST',
    headers: headersOf('post', { 'content-type': 'application/json' }),
    body: JSON.stringify({ tool_results: results, stream: true }),
  })
  await response.body?.cancel()
}
