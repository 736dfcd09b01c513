import { useRoleNames } from '@/api/names'
import type { Schema } from '@/api/types'
import type { Field, Values } from '@/form/field'
import { useWords } from '@/i18n/words'
import { useMessages } from './messages'

export type Method = 'jwks' | 'secret'

const ALGORITHMS: Schema<'Algorithm'>[] = ['EdDSA', 'ES256', 'ES384', 'RS256', 'PS256']

/** The fields of a token issuer. `method` isn't the API's: it decides whether a JWKS or a secret is asked for. */
export function useIssuerFields(): { ofNew: (values: Values) => Field[]; ofExisting: (values: Values) => Field[] } {
  const t = useMessages()
  const w = useWords()
  const roles = useRoleNames()
  const identity: Field[] = [
    { name: 'name', label: w.name, isRequired: true, placeholder: 'app' },
    { name: 'issuer', label: t.issuer, help: t.issuerHelp, isRequired: true, placeholder: 'https://app.example.com' },
    { name: 'audience', label: t.audience, help: t.audienceHelp, isRequired: true, placeholder: 'loam' },
  ]
  function keysOf(values: Values): Field[] {
    const method: Field = { name: 'method', label: t.method, kind: 'choice', isRequired: true, initial: 'jwks', options: Object.entries(t.methods).map(([value, label]) => ({ value, label })) }
    if (values.method === 'secret') return [method, { name: 'secret', label: t.secret, help: t.secretHelp, kind: 'secret', isRequired: true }]
    return [
      method,
      { name: 'jwks_url', label: t.jwksUrl, help: t.jwksHelp, isRequired: true, placeholder: 'https://app.example.com/.well-known/jwks.json' },
      { name: 'algorithms', label: t.algorithms, help: t.algorithmsHelp, kind: 'choices', options: ALGORITHMS.map((value) => ({ value, label: value })) },
    ]
  }
  const users: Field[] = [
    { name: 'user_claim', label: t.userClaim, help: t.userClaimHelp, initial: 'sub' },
    { name: 'role', label: t.role, help: t.roleHelp, kind: 'choice', options: roles.options, initial: 'user' },
    { name: 'auto_create_users', label: t.autoCreate, help: t.autoCreateHelp, kind: 'boolean', initial: false },
  ]
  return {
    ofNew: (values) => [...identity, ...keysOf(values), ...users],
    ofExisting: (values) => [...keysOf(values), ...users, { name: 'is_active', label: t.isActive, kind: 'boolean' }],
  }
}
