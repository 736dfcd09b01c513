import { expect, test } from 'vitest'
import type { Schema } from '@/api/types'
import { costParts } from './cost'

const price = { input_per_million: 2, output_per_million: 8, cached_input_per_million: 0.5, cache_write_per_million: null, per_unit: null } as Schema<'ModelPriceView'>
const call = (fields: Partial<Schema<'LlmCallView'>>) => ({ prompt_tokens: null, completion_tokens: null, cached_tokens: null, cache_write_tokens: null, quantity: null, ...fields }) as Schema<'LlmCallView'>

test('prompt tokens of the cache have a price of their own and are not counted twice', () => {
  const parts = costParts(call({ prompt_tokens: 1_000_000, cached_tokens: 400_000, cache_write_tokens: 100_000, completion_tokens: 250_000 }), price)
  expect(parts.map(({ name, amount, cost }) => [name, amount, cost])).toEqual([
    ['input', 500_000, 1],
    ['cached', 400_000, 0.2],
    ['cacheWrite', 100_000, 0.2],
    ['output', 250_000, 2],
  ])
})

test('what is counted by units is added where the price has one', () => {
  expect(costParts(call({ quantity: 3 }), { ...price, per_unit: 0.04 })).toEqual([{ name: 'unit', amount: 3, price: 0.04, per: 1, cost: 0.12 }])
  expect(costParts(call({ quantity: 3 }), price)).toEqual([])
})
