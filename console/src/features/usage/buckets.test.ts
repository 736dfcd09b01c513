import { expect, test } from 'vitest'
import type { Schema } from '@/api/types'
import { bucketTimes, changeOf, distinctUsers, granularityOf, rangeBefore, seriesOf } from './buckets'

const row = (fields: Partial<Schema<'Usage'>>) => ({ calls: 1, ...fields }) as Schema<'Usage'>
const at = (text: string) => new Date(`2026-03-${text}Z`)

test('the buckets suit the range', () => {
  expect(granularityOf(at('01T10:00'), at('01T11:00'))).toBe('minute')
  expect(granularityOf(at('01T10:00'), at('02T10:00'))).toBe('hour')
  expect(granularityOf(at('01T10:00'), at('31T10:00'))).toBe('day')
})

test('a bucket in which nothing happened has the value zero, or none where zero would be wrong', () => {
  const times = bucketTimes(at('01T10:30'), at('01T13:00'), 'hour')
  expect(times).toEqual(['01T10:00', '01T11:00', '01T12:00'].map((each) => at(each).getTime()))
  const rows = [row({ time: at('01T11:00').toISOString(), calls: 7, latency_p50_ms: 12 })]
  expect(seriesOf(times, rows, (each) => each.calls)).toEqual([0, 7, 0])
  expect(seriesOf(times, rows, (each) => each.latency_p50_ms, null)).toEqual([null, 12, null])
})

test('a range is compared with the one of equal length before it', () => {
  expect(rangeBefore(at('08T00:00'), at('15T00:00'))).toEqual({ from: at('01T00:00'), to: at('08T00:00') })
  expect([changeOf(10, 15), changeOf(0, 5), changeOf(null, 5)]).toEqual([0.5, null, null])
})

test('users are counted once in a bucket', () => {
  const time = at('01T10:00').toISOString()
  const rows = [row({ time, user_id: 'a' }), row({ time, user_id: 'a' }), row({ time, user_id: 'b' }), row({ time, user_id: null }), row({ time, user_id: 'c', calls: 0 })]
  expect(distinctUsers([at('01T10:00').getTime(), at('01T11:00').getTime()], rows)).toEqual([2, 0])
})
