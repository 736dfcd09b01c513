import { expect, test } from 'vitest'
import type { Schema } from '@/api/types'
import { usesOf } from './uses'

const limit = (changes: Partial<Schema<'LimitView'>>) => ({ requests_per_minute: null, tokens_per_minute: null, budget_per_day: null, budget_per_month: null, remaining: null, ...changes }) as Schema<'LimitView'>

test('what is used is the limit without its remainder', () => {
  const uses = usesOf(limit({ budget_per_day: 5, remaining: { budget_per_day: 4, budget_per_month: null, requests_per_minute: null, tokens_per_minute: null } }))
  expect(uses).toEqual([{ measure: 'budget_per_day', limit: 5, used: 1 }])
})

test('a limit of end users has no use of its own', () => {
  expect(usesOf(limit({ requests_per_minute: 60 }))).toEqual([{ measure: 'requests_per_minute', limit: 60, used: null }])
})
