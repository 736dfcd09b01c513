import { urlOf } from '@/api/request'
import type { Schema } from '@/api/types'

export type SubjectType = Schema<'ErasureSubjectType'>

const DIGEST_SHOWN = 12

/** The id of a subject, or the beginning of its digest: an end user has no other name afterwards. */
export function subjectName({ subject_id, subject_digest }: { subject_id: string | null; subject_digest: string }): string {
  if (subject_id) return subject_id.length > 30 ? `…${subject_id.slice(-DIGEST_SHOWN)}` : subject_id
  return `${subject_digest.slice(0, 'sha256:'.length + DIGEST_SHOWN)}…`
}

/** The URL that exports all data about a subject; none for a tenant. */
export function exportUrl(type: SubjectType, id: string): string | null {
  const parameter = { user: 'user_id', end_user: 'end_user', session: 'session_id', tenant: null }[type]
  return parameter && id ? urlOf('/api/v1/exports', {}, { [parameter]: id }) : null
}

/** The subject types of an erasure, as a URL may name them. */
export function subjectTypeOf(text: string | undefined): SubjectType {
  return text === 'user' || text === 'session' || text === 'tenant' ? text : 'end_user'
}
