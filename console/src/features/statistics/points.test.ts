import { expect, it } from 'vitest'
import { bucketsOf, limitOf, whisker } from './points'

it('empty buckets are there without a point', () => {
  const point = { time: '2026-11-30T01:00:00Z', requests: 3 }
  const { times, points } = bucketsOf([point], { from: '2026-11-30T00:00:00Z', to: '2026-11-30T03:00:00Z', granularity: 'hour' })
  expect(times.map((time) => new Date(time).getUTCHours())).toEqual([0, 1, 2])
  expect(points).toEqual([null, point, null])
})

it('an interval stands around zero and within the bar', () => {
  expect(whisker({ change: 0.1, low: -0.1, high: 0.4 }, 0.2)).toEqual({ low: 25, middle: 75, high: 100 })
  expect(whisker({ change: 0.1, low: null, high: null }, 0.2)).toEqual({ low: 75, middle: 75, high: 75 })
})

it('bars show up to the largest change, at most 100 %', () => {
  expect(limitOf([{ change: 0.2, low: -0.3, high: 0.25 }, null])).toBe(0.3)
  expect(limitOf([{ change: 0.01 }])).toBe(0.1)
  expect(limitOf([{ change: 4 }])).toBe(1)
  expect(limitOf([])).toBe(0.1)
})
