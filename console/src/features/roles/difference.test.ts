import { expect, it } from 'vitest'
import { rebased } from './difference'

it('applies ticks to what somebody else has ticked meanwhile', () => {
  expect(rebased(['a', 'b'], ['b', 'c'], ['a', 'b', 'd'])).toEqual(['b', 'd', 'c'])
  expect(rebased(['a'], ['a', 'b'], ['a', 'b'])).toEqual(['a', 'b'])
  expect(rebased(['a', 'b'], ['a', 'b', 'c'], ['a'])).toEqual(['a', 'c'])
})
