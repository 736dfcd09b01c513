import type { Schema } from '@/api/types'

type Limit = Schema<'LimitView'>

export type Measure = 'requests_per_minute' | 'tokens_per_minute' | 'budget_per_day' | 'budget_per_month'

export const MEASURES: Measure[] = ['requests_per_minute', 'tokens_per_minute', 'budget_per_day', 'budget_per_month']

/** How far a limit is used. */
export interface Use {
  measure: Measure
  limit: number
  /** Null where the API doesn't tell: each end user has a remainder of their own. */
  used: number | null
}

/** What a limit limits, and how much of each is used. */
export function usesOf(limit: Limit): Use[] {
  return MEASURES.flatMap((measure) => {
    const most = limit[measure]
    if (most === null) return []
    const left = limit.remaining?.[measure] ?? null
    return [{ measure, limit: most, used: left === null ? null : most - left }]
  })
}
