import { headersOf, send, urlOf } from '@/api/request'
import type { Schema } from '@/api/types'
import { save } from '@/list/export'

/** Saves a session as JSON Lines that an import takes. The API exports by filters: this one selects the moment in which the
 * session was created, and lines of other sessions of that moment are left out. */
export async function exportSession(session: Schema<'ChatSessionView'>): Promise<void> {
  const created = new Date(session.created_at).getTime()
  const url = urlOf('/api/v1/chat_sessions/export', {}, { created_after: session.created_at, created_before: new Date(created + 1).toISOString() })
  const text = await (await send(url, { headers: headersOf('get') })).text()
  save(linesOf(text, session.id, session.external_id), `${session.title.replace(/[\\/:*?"<>|]/g, ' ').trim() || session.id}.jsonl`, 'application/jsonl')
}

/** The lines of one session, with a last line that counts them. */
export function linesOf(text: string, id: string, externalId: string | null): string {
  const kept = text.split('\n').filter((line) => {
    if (!line) return false
    const { type, id: own, session } = JSON.parse(line) as { type: string; id?: string; session?: string }
    return type === 'session' ? own === id : type === 'message' && (session === id || (externalId !== null && session === externalId))
  })
  const end = { type: 'end', sessions: 1, messages: kept.length - 1 }
  return [...kept, JSON.stringify(end)].map((line) => `${line}\n`).join('')
}
