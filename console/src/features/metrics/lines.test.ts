import { expect, it } from 'vitest'
import { alignLines, bucketsFor, distinct, nameOf } from './lines'

it('lines share their times', () => {
  const point = (minute: number, value: number | null) => ({ time: `2026-11-30T00:0${minute}:00Z`, value, samples: 1 })
  const { times, series } = alignLines([{ tags: { queue: 'mail' }, points: [point(0, 1), point(2, null)] }, { tags: {}, points: [point(1, 5)] }], 'all')
  expect(times.map((time) => new Date(time).getUTCMinutes())).toEqual([0, 1, 2])
  expect(series).toEqual([
    { name: 'queue: mail', values: [1, null, null] },
    { name: 'all', values: [null, 5, null] },
  ])
})

it('tags are written as name and value', () => {
  expect(nameOf({ host: 'web-1', shard: 3 })).toBe('host: web-1, shard: 3')
})

it('names are listed once', () => {
  expect(distinct(['b', 'a', 'b'])).toEqual(['a', 'b'])
})

it('a day is shown by minutes, and what is longer by hours', () => {
  const now = new Date('2026-11-30T12:00:30Z')
  expect(bucketsFor({ from: new Date('2026-11-29T12:00:00Z'), to: null }, now)).toEqual({ from: '2026-11-29T12:01:00.000Z', to: undefined, granularity: 'minute' })
  expect(bucketsFor({ from: new Date('2026-11-30T11:00:00Z'), to: null }, now)).toEqual({ from: '2026-11-30T11:00:00.000Z', to: undefined, granularity: 'minute' })
  expect(bucketsFor({ from: new Date('2026-11-23T12:00:00Z'), to: null }, now).granularity).toBe('hour')
})
