import type { Schema } from '@/api/types'

type Change = Schema<'AuditLogView'>
type Fields = Record<string, unknown>

/** The fields of a change before and after it. Most entries hold only the new values: the values before are those of the
 * earlier entries of the same thing, of which the newest come first. `isRecorded`: the entry itself holds them. */
export function beforeAndAfter(change: Change, earlier: Change[]): { before: unknown; after: unknown; isRecorded: boolean } {
  const after = fieldsOf(change.changes)
  if ('before' in after && 'after' in after) return { before: after.before, after: after.after, isRecorded: true }
  const before: Fields = {}
  for (const key of Object.keys(after)) {
    const last = earlier.find((each) => key in fieldsOf(each.changes))
    if (last) before[key] = fieldsOf(last.changes)[key]
  }
  return { before, after, isRecorded: false }
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {}
}
