import type { Schema } from '@/api/types'

export type KeyState = 'valid' | 'expired' | 'revoked'

/** Whether a key works. */
export function stateOf(key: Pick<Schema<'ApiKeyView'>, 'revoked_at' | 'expires_at'>, now = Date.now()): KeyState {
  if (key.revoked_at) return 'revoked'
  return key.expires_at && new Date(key.expires_at).getTime() <= now ? 'expired' : 'valid'
}

/** A command that tries a key. */
export function trial(key: string, origin: string, scopes: string[]): string {
  const isForModels = scopes.includes('*') || scopes.includes('gateway:call')
  return `curl ${origin}${isForModels ? '/v1/models' : '/api/v1/session'} \\\n  -H "Authorization: Bearer ${key}"`
}
