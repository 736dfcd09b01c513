import type { Schema } from '@/api/types'

type ErrorLog = Schema<'ErrorLogView'>

export interface SeenVersion {
  version: string
  count: number
  first: string
  last: string
}

export function versionOf(error: ErrorLog): string | null {
  const version = (error.context as { version?: unknown } | null)?.version
  return typeof version === 'string' && version !== '' ? version : null
}

/** The versions of the application in which errors happened, the last seen first. */
export function versionsOf(errors: ErrorLog[]): SeenVersion[] {
  const versions = new Map<string, SeenVersion>()
  for (const error of errors) {
    const version = versionOf(error)
    if (!version) continue
    const known = versions.get(version)
    const at = error.created_at
    versions.set(version, {
      version,
      count: (known?.count ?? 0) + 1,
      first: known && known.first < at ? known.first : at,
      last: known && known.last > at ? known.last : at,
    })
  }
  return [...versions.values()].sort((a, b) => (a.last < b.last ? 1 : -1))
}
