import { expect, test } from 'vitest'
import { resultsOf, settingsFor, spentToday } from './results'

test('the settings of a project stand above those of all', () => {
  const config = { model: 'chat', usd_per_day: 1, projects: { p: { usd_per_day: 5 } } }
  expect(settingsFor(config, 'p')).toEqual({ model: 'chat', limit: 5 })
  expect(settingsFor(config, 'q')).toEqual({ model: 'chat', limit: 1 })
  expect(settingsFor(undefined, undefined)).toEqual({ model: null, limit: null })
})

test('only the analyses of today count', () => {
  const analysis = (created_at: string, cost: number | null) => ({ created_at, analysis_metadata: { cost } }) as never
  const list = [analysis('2026-11-30T01:00:00Z', 0.2), analysis('2026-11-29T23:59:00Z', 5), analysis('2026-11-30T02:00:00Z', null)]
  expect(spentToday(list, new Date('2026-11-30T20:00:00Z'))).toBe(0.2)
})

test('an analysis without results has none', () => {
  expect(resultsOf({ analysis_results: {} } as never)).toBe(null)
  expect(resultsOf({ analysis_results: { performance_score: 41 } } as never)).toMatchObject({ performance_score: 41, bottleneck_analysis: [] })
})
