import { useMemo } from 'react'
import { type SearchState, useSearchState } from './search'

const MINUTE = 60_000
/** The time ranges that end now, in milliseconds. */
export const PRESETS = { '1h': 60 * MINUTE, '24h': 24 * 60 * MINUTE, '7d': 7 * 24 * 60 * MINUTE, '30d': 30 * 24 * 60 * MINUTE } as const
export type Preset = keyof typeof PRESETS

export interface TimeRange {
  /** None: a range with fixed ends, or without a start. */
  preset: Preset | null
  from: Date | null
  /** None: now. */
  to: Date | null
}

/** The start of the present minute: what depends on it stays the same while a page is drawn again. */
export function thisMinute(): Date {
  return new Date(Math.floor(Date.now() / MINUTE) * MINUTE)
}

/** The time range that a URL names by `range`, or by `from` and `to`. Ranges that end now are cut to the minute, so that
 * what was read for one is found again. */
export function rangeOf(search: SearchState, fallback: Preset | null, now = Date.now()): TimeRange {
  if (search.from || search.to) {
    return { preset: null, from: dateOf(search.from), to: dateOf(search.to) }
  }
  const preset = search.range === 'all' ? null : search.range && search.range in PRESETS ? (search.range as Preset) : fallback
  if (!preset) return { preset: null, from: null, to: null }
  const start = now - PRESETS[preset]
  return { preset, from: new Date(start - (start % MINUTE)), to: null }
}

function dateOf(text: string | undefined): Date | null {
  const date = text ? new Date(text) : null
  return date && !Number.isNaN(date.getTime()) ? date : null
}

/** The time range in the page's URL. */
export function useTimeRange(fallback: Preset | null = null): TimeRange {
  const [search] = useSearchState()
  const minute = Math.floor(Date.now() / MINUTE)
  return useMemo(() => rangeOf(search, fallback), [search.range, search.from, search.to, fallback, minute])
}
