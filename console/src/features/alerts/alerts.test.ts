import { describe, expect, test } from 'vitest'
import { filled, requestPoints, spanOf, within } from './chart'
import { linesOfTags, selectorFields, showValue, tagsOfLines } from './metric'
import { bodyOfRule } from './ruleBody'

const MINUTE = 60_000

test('the chart of an incident begins before it and ends after it, but not in the future', () => {
  const opened = Date.parse('2026-11-28T06:17:23Z')
  const event = { opened_at: '2026-11-28T06:17:23Z', resolved_at: '2026-11-28T06:40:00Z' }
  const span = spanOf(event, 300, opened + 24 * 60 * MINUTE)
  expect(new Date(span.from).toISOString()).toBe('2026-11-28T05:47:00.000Z')
  expect(new Date(span.to).toISOString()).toBe('2026-11-28T07:11:00.000Z')
  const now = opened + 5 * MINUTE
  expect(spanOf({ ...event, resolved_at: null }, 300, now).to).toBeLessThanOrEqual(now + MINUTE)
})

test('minutes without traffic are zero', () => {
  expect(filled([[2 * MINUTE, 5]], { from: MINUTE, to: 4 * MINUTE }, MINUTE)).toEqual({ times: [MINUTE, 2 * MINUTE, 3 * MINUTE], values: [0, 5, 0] })
})

test('a chart spans all of its time, unless it has no values', () => {
  expect(within({ times: [5], values: [1] }, { from: 0, to: 9 })).toEqual({ times: [0, 5, 9], values: [null, 1, null] })
  expect(within({ times: [], values: [] }, { from: 0, to: 9 }).times).toEqual([])
})

test('requests of an hour become requests per minute', () => {
  const row = { time: '2026-11-28T06:00:00Z', requests: 120 }
  const sums = { from: '2026-11-28T06:00:00Z', to: '2026-11-28T07:00:00Z', granularity: 'hour', data: [row] }
  expect(requestPoints('request_rate', sums as never).values).toEqual([2])
})

test('each metric has its unit', () => {
  const format = { duration: (ms: number) => `${ms} ms`, percent: (share: number) => `${share * 100} %`, number: String } as never
  expect(showValue('response_time_p95', 1.5, format, '')).toBe('1500 ms')
  expect(showValue('error_rate', 0.05, format, '')).toBe('5 %')
  expect(showValue('request_rate', 3, format, '/min')).toBe('3/min')
  expect(selectorFields('cost')).toEqual(['provider', 'model'])
})

test('tags are lines of name and value', () => {
  expect(tagsOfLines(['queue:mail', 'url:http://a'])).toEqual({ queue: 'mail', url: 'http://a' })
  expect(linesOfTags({ queue: 'mail' })).toEqual(['queue:mail'])
})

describe('the body of a rule', () => {
  test('has its tags as an object', () => {
    expect(bodyOfRule({ name: 'a', selector: { tags: ['queue:mail'] } }, undefined)).toEqual({ name: 'a', selector: { tags: { queue: 'mail' } } })
  })
  test('removes tags and targets that are no longer there', () => {
    const existing = { selector: { tags: { queue: 'mail', host: 'a' } }, delivery: { webhook: { url: 'https://a' }, email: { to: ['a@b'] } } }
    const body = bodyOfRule({ selector: { tags: ['host:b'] }, delivery: { webhook: { url: null }, email: { to: null } } }, existing)
    expect(body).toEqual({ selector: { tags: { queue: null, host: 'b' } }, delivery: { webhook: null, email: null } })
  })
})
