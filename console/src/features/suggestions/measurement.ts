import type { Schema } from '@/api/types'

/** How a gain was measured, by comparing the means of two versions. */
export interface Measurement {
  confidence: number
  low: number | null
  high: number | null
  is_evident: boolean
  samples: { before: number; after: number }
}

export function measurementOf(suggestion: Schema<'SuggestionView'>): Measurement | null {
  return suggestion.measured as unknown as Measurement | null
}

/** What a measured gain says: a gain or a loss only if its interval excludes zero. */
export function verdictOf(suggestion: Schema<'SuggestionView'>): 'gain' | 'loss' | 'none' | null {
  const measurement = measurementOf(suggestion)
  if (suggestion.measured_gain === null || !measurement) return null
  if (!measurement.is_evident) return 'none'
  return suggestion.measured_gain > 0 ? 'gain' : 'loss'
}

/** The statuses to which a suggestion can change. */
export function nextStatuses(status: Schema<'SuggestionStatus'>): Schema<'SuggestionStatus'>[] {
  return (['accepted', 'done', 'dismissed', 'open'] as const).filter((each) => each !== status)
}

/** A title without the backticks around its names. */
export function plainTitle({ title }: { title: string }): string {
  return title.replaceAll('`', '')
}
