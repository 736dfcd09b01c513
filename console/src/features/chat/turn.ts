import type { Schema } from '@/api/types'
import type { StreamEvent } from '@/api/events'

type ToolCall = Schema<'ChatToolCall'>

export interface ToolOutcome {
  content: string
  isError: boolean
}

/** A message of an answer, as far as it has arrived. */
export interface Part {
  text: string
  reasoning: string
  toolCalls: ToolCall[]
  results: Record<string, ToolOutcome>
  /** Set once it is stored. */
  messageId: string | null
}

/** What the events of a turn have told so far. */
export interface Answer {
  turnId: string | null
  questionId: string | null
  model: string | null
  /** Number of the last event, after which a stream continues. */
  lastEvent: number
  parts: Part[]
  /** Tool calls whose results the client has to send. */
  waiting: ToolCall[]
  state: 'starting' | 'running' | 'requires_action' | 'ended'
  ended: Schema<'TurnEnded'> | null
}

export const NO_ANSWER: Answer = { turnId: null, questionId: null, model: null, lastEvent: 0, parts: [], waiting: [], state: 'starting', ended: null }

const EMPTY_PART: Part = { text: '', reasoning: '', toolCalls: [], results: {}, messageId: null }

/** The answer after one more event. An event that was there already changes nothing. */
export function applyEvent(answer: Answer, { id, event, data }: StreamEvent): Answer {
  const number = Number(id)
  if (number <= answer.lastEvent) return answer
  const next: Answer = { ...answer, lastEvent: number }
  const told = JSON.parse(data)
  switch (event) {
    case 'started': {
      const { turn_id, user_message_id, model } = told as Schema<'TurnStarted'>
      return { ...next, state: 'running', turnId: turn_id, questionId: user_message_id, model }
    }
    case 'delta':
      return changeOpenPart(next, (part) => ({ ...part, text: part.text + (told as Schema<'TurnText'>).text }))
    case 'reasoning':
      return changeOpenPart(next, (part) => ({ ...part, reasoning: part.reasoning + (told as Schema<'TurnText'>).text }))
    case 'tool_calls':
      return changeOpenPart(next, (part) => ({ ...part, toolCalls: (told as Schema<'TurnToolCalls'>).tool_calls }))
    case 'tool_result': {
      const { tool_call_id, content, is_error } = told as Schema<'TurnToolResult'>
      return {
        ...next,
        state: 'running',
        waiting: next.waiting.filter((call) => call.id !== tool_call_id),
        parts: next.parts.map((part) => (part.toolCalls.some((call) => call.id === tool_call_id) ? { ...part, results: { ...part.results, [tool_call_id]: { content, isError: is_error } } } : part)),
      }
    }
    case 'requires_action':
      return { ...next, state: 'requires_action', waiting: (told as Schema<'TurnToolCalls'>).tool_calls }
    case 'message': {
      const { role, message_id } = told as Schema<'TurnMessage'>
      return role === 'assistant' ? changeOpenPart(next, (part) => ({ ...part, messageId: message_id })) : next
    }
    case 'ended':
      return { ...next, state: 'ended', waiting: [], ended: told as Schema<'TurnEnded'> }
    default:
      return next
  }
}

/** Changes the message that isn't stored yet; what comes after a stored one begins another. */
function changeOpenPart(answer: Answer, change: (part: Part) => Part): Answer {
  const last = answer.parts.at(-1)
  const parts = last && last.messageId === null ? answer.parts.slice(0, -1) : answer.parts
  return { ...answer, state: 'running', waiting: [], parts: [...parts, change(last && last.messageId === null ? last : EMPTY_PART)] }
}
