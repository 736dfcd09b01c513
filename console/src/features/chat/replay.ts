import type { Schema } from '@/api/types'

type Earlier = Omit<Schema<'MessageCreate'>, 'session_id'>

/** What a conversation needs to ask again what a call asked. */
export interface Replay {
  model: string
  systemPrompt: string
  /** The messages before the question. */
  earlier: Earlier[]
  question: string
}

interface Asked {
  role?: string
  content?: unknown
  tool_calls?: Earlier['tool_calls']
  tool_call_id?: string
}

/** The conversation of a call, from its recorded request; null if it has none, or doesn't end with a question. */
export function replayOf(call: Pick<Schema<'LlmCallView'>, 'route' | 'provider' | 'model'> & { request_data?: unknown }): Replay | null {
  const request = call.request_data as { messages?: Asked[]; system?: unknown } | null | undefined
  const last = Array.isArray(request?.messages) ? request.messages.at(-1) : undefined
  if (!request?.messages || last?.role !== 'user') return null
  const isSystem = ({ role }: Asked) => role === 'system' || role === 'developer'
  const prompts = [textOf(request.system), ...request.messages.filter(isSystem).map(({ content }) => textOf(content))]
  const earlier = request.messages
    .slice(0, -1)
    .filter((message) => !isSystem(message))
    .map(({ role, content, tool_calls, tool_call_id }) => ({ role: role as Earlier['role'], content: textOf(content), ...(tool_calls && { tool_calls }), ...(tool_call_id && { tool_call_id }) }))
  return { model: call.route ?? `${call.provider}/${call.model}`, systemPrompt: prompts.filter(Boolean).join('\n\n'), earlier, question: textOf(last.content) }
}

/** The text of a content in OpenAI's or Anthropic's format. */
function textOf(content: unknown): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return content.flatMap((part: { type?: string; text?: string }) => (part.type === 'text' && part.text ? [part.text] : [])).join('\n\n')
}
