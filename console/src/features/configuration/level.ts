import { useIsOperator } from '@/api/session'
import type { Schema } from '@/api/types'
import { useSearchState } from '@/list/search'

export type Level = Schema<'Level'>

/** The level whose values the page shows, and whether it can be chosen. */
export function useLevel(): { level: Level; isChoice: boolean } {
  const isChoice = useIsOperator()
  const [search] = useSearchState()
  return { level: isChoice && search.level !== 'tenant' ? 'global' : 'tenant', isChoice }
}
