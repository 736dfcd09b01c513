import { NONE, shortId } from '@/i18n/format'
import { useRead } from './hooks'
import { useProjects } from './projects'
import { useCan } from './session'

/** The most that one request lists. */
const MOST = 200

export interface Option {
  value: string
  label: string
}

/** Things to choose from, and their names by id. */
export interface Names {
  options: Option[]
  /** The name of a thing; the end of its id where its name isn't known. */
  nameOf: (id: string | null | undefined) => string
}

function namesOf(options: Option[]): Names {
  const names = new Map(options.map(({ value, label }) => [value, label]))
  return { options, nameOf: (id) => (id ? (names.get(id) ?? shortId(id)) : NONE) }
}

/** The newest users of the tenant. */
export function useUserNames(): Names {
  const can = useCan()
  const users = useRead('/api/v1/users', { query: { limit: MOST } }, { enabled: can('users:read') })
  return namesOf((users.data?.data ?? []).map((user) => ({ value: user.id, label: user.full_name ? `${user.full_name} (${user.username})` : user.username })))
}

/** The newest projects of the tenant. */
export function useProjectNames(): Names {
  return namesOf(useProjects().projects.map((project) => ({ value: project.id, label: project.name })))
}

/** The newest API keys of the tenant that aren't revoked; revoked ones have names as well. */
export function useKeyNames(): Names {
  const can = useCan()
  const keys = useRead('/api/v1/api_keys', { query: { limit: MOST } }, { enabled: can('api_keys:read') })
  const all = keys.data?.data ?? []
  const named = (key: (typeof all)[number]) => ({ value: key.id, label: `${key.name} (${key.prefix}…)` })
  return { ...namesOf(all.map(named)), options: all.filter((key) => !key.revoked_at).map(named) }
}

/** The tenant's providers, which are chosen by name. */
export function useProviderNames(): Names {
  const can = useCan()
  const providers = useRead('/api/v1/ai_providers', { query: { limit: MOST } }, { enabled: can('ai_providers:read') })
  return namesOf((providers.data?.data ?? []).map((provider) => ({ value: provider.name, label: provider.name })))
}

/** The roles that users can have, which are chosen by name. */
export function useRoleNames(): Names {
  const can = useCan()
  const roles = useRead('/api/v1/roles', { query: { limit: MOST } }, { enabled: can('roles:read') })
  return namesOf((roles.data?.data ?? []).map((role) => ({ value: role.name, label: role.name })))
}

/** Who did something, as the audit trail names it: `user:<id>`, `api_key:<id>`, … */
export function actorName(actor: string | null | undefined, users: Names, keys: Names): string {
  if (!actor) return NONE
  const [kind, id] = actor.split(':')
  if (kind === 'user') return users.nameOf(id)
  if (kind === 'api_key') return keys.nameOf(id)
  return actor
}
