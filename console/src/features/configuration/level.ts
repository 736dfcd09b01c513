import { useSession } from '@/api/session'
import type { Schema } from '@/api/types'
import { useSearchState } from '@/list/search'

export type Level = Schema<'Level'>

/** Operators are users of this tenant. In another one they have no operator's permissions. */
const OPERATORS_TENANT = 'default'

/** The level whose values the page shows, and whether it can be chosen. */
export function useLevel(): { level: Level; isChoice: boolean } {
  const { session, tenant } = useSession()
  const [search] = useSearchState()
  const isChoice = session.operator && tenant === OPERATORS_TENANT
  return { level: isChoice && search.level !== 'tenant' ? 'global' : 'tenant', isChoice }
}
