import { useQueryClient } from '@tanstack/react-query'
import { useRead } from '@/api/hooks'
import { ApiError, request } from '@/api/request'
import type { Schema } from '@/api/types'
import type { Field } from '@/form/field'
import { FormDialog } from '@/form/FormDialog'
import { useMessages } from './messages'

/** Settings of a session that its turns follow (docs/API.md, Conversations), under the names of the form's fields. */
const KEYS = ['temperature', 'top_p', 'max_tokens', 'presence_penalty', 'frequency_penalty', 'seed', 'stop', 'reasoning_effort', 'context', 'tools'] as const

/** The system prompt and the settings of a session. */
export function SettingsDialog({ session, onClose }: { session: Schema<'ChatSessionView'>; onClose: () => void }) {
  const t = useMessages()
  const client = useQueryClient()
  const configs = useRead('/api/v1/chat_sessions/{id}/configs', { params: { id: session.id }, query: { limit: 200 } })
  if (!configs.data) return null
  const values = Object.fromEntries(configs.data.data.map(({ key, value }) => [key, value]))
  const existing = { ...values, system_prompt: session.system_prompt }
  const fields: Field[] = [
    { name: 'system_prompt', label: t.systemPrompt, kind: 'multiline' },
    { name: 'temperature', label: t.temperature, kind: 'number', min: 0, max: 2, step: 0.1 },
    { name: 'top_p', label: t.topP, kind: 'number', min: 0, max: 1, step: 0.05 },
    { name: 'max_tokens', label: t.maxTokens, kind: 'number', min: 1, step: 1 },
    { name: 'reasoning_effort', label: t.reasoningEffort, kind: 'choice', options: ['none', 'minimal', 'low', 'medium', 'high', 'xhigh'].map((value) => ({ value, label: value })) },
    { name: 'presence_penalty', label: t.presencePenalty, kind: 'number', min: -2, max: 2, step: 0.1 },
    { name: 'frequency_penalty', label: t.frequencyPenalty, kind: 'number', min: -2, max: 2, step: 0.1 },
    { name: 'seed', label: t.seed, kind: 'number', step: 1 },
    { name: 'stop', label: t.stopTexts, kind: 'texts' },
    { name: 'context.max_tokens', label: t.maxContext, kind: 'number', min: 1, step: 1 },
    { name: 'context.overflow', label: t.overflow, kind: 'choice', options: [{ value: 'drop_oldest', label: t.dropOldest }, { value: 'summarize', label: t.summarize }] },
    { name: 'tools', label: t.tools, kind: 'json', help: t.toolsHint },
  ]
  async function save(body: Record<string, unknown>) {
    if ('system_prompt' in body) await request('patch', '/api/v1/chat_sessions/{id}', { params: { id: session.id }, body: { system_prompt: body.system_prompt as string | null } })
    for (const key of KEYS) if (key in body) await put(key, valueOf(key, body[key], values[key]))
    await client.invalidateQueries({ predicate: ({ queryKey }) => String(queryKey[0]).startsWith('/api/v1/chat_sessions/{id}') })
  }
  async function put(key: string, value: unknown) {
    try {
      if (key === 'tools') await request('put', '/api/v1/chat_sessions/{id}/tools', { params: { id: session.id }, body: { tools: (value ?? []) as Schema<'ToolDeclarationInput'>[] } })
      else if (value === null) await request('delete', '/api/v1/chat_sessions/{id}/configs/{key}', { params: { id: session.id, key } })
      else await request('put', '/api/v1/chat_sessions/{id}/configs/{key}', { params: { id: session.id, key }, body: { value: value as Schema<'JsonValue'> } })
    } catch (error) {
      // The API names the place within the value; the form knows it by the key.
      if (error instanceof ApiError && error.param?.startsWith('value')) throw new ApiError(error.status, error.code, error.message, error.param.replace('value', key), error.requestId)
      throw error
    }
  }
  return <FormDialog title={t.settings} description={t.settingsHint} fields={fields} existing={existing} size="wide" onClose={onClose} onSubmit={save} />
}

/** The whole value of a setting, of which the form gives what has changed; null if nothing of it is left. */
function valueOf(key: string, changed: unknown, before: unknown): unknown {
  if (key !== 'context') return changed
  const merged = Object.entries({ ...(before as object | undefined), ...(changed as object | null) }).filter(([, value]) => value !== null)
  return merged.length === 0 ? null : Object.fromEntries(merged)
}
