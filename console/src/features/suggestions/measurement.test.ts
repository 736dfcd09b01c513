import { expect, test } from 'vitest'
import { nextStatuses, verdictOf } from './measurement'

const suggestion = (measured_gain: number | null, is_evident: boolean) => ({ measured_gain, measured: measured_gain === null ? null : { is_evident } }) as never

test('a gain counts only if it is evident', () => {
  expect(verdictOf(suggestion(0.4, true))).toBe('gain')
  expect(verdictOf(suggestion(-0.2, true))).toBe('loss')
  expect(verdictOf(suggestion(0.4, false))).toBe('none')
  expect(verdictOf(suggestion(null, false))).toBe(null)
})

test('a status changes to any other', () => {
  expect(nextStatuses('accepted')).toEqual(['done', 'dismissed', 'open'])
})
