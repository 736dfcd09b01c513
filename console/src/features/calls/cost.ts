import type { Schema } from '@/api/types'

/** A part of a call's cost: an amount at a price. */
export interface CostPart {
  name: 'input' | 'cached' | 'cacheWrite' | 'output' | 'unit'
  amount: number
  /** US dollars for `per` of them. */
  price: number
  per: number
  cost: number
}

const MILLION = 1_000_000

/** How a price makes the cost of a call: prompt tokens include those that the provider's cache read or wrote. */
export function costParts(call: Schema<'LlmCallView'>, price: Schema<'ModelPriceView'>): CostPart[] {
  const cached = call.cached_tokens ?? 0
  const written = call.cache_write_tokens ?? 0
  const tokens = (name: CostPart['name'], amount: number, perMillion: number): CostPart => ({ name, amount, price: perMillion, per: MILLION, cost: (amount * perMillion) / MILLION })
  const parts = [
    tokens('input', Math.max(0, (call.prompt_tokens ?? 0) - cached - written), price.input_per_million),
    tokens('cached', cached, price.cached_input_per_million ?? price.input_per_million),
    tokens('cacheWrite', written, price.cache_write_per_million ?? price.input_per_million),
    tokens('output', call.completion_tokens ?? 0, price.output_per_million),
  ]
  if (call.quantity !== null && price.per_unit !== null) {
    parts.push({ name: 'unit', amount: call.quantity, price: price.per_unit, per: 1, cost: call.quantity * price.per_unit })
  }
  return parts.filter((part) => part.amount > 0)
}
