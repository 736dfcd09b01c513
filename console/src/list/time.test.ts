import { expect, test } from 'vitest'
import { rangeOf } from './time'

const NOW = Date.parse('2026-03-10T12:00:30Z')

test('a range that ends now begins at a full minute', () => {
  expect(rangeOf({ range: '1h' }, null, NOW)).toEqual({ preset: '1h', from: new Date('2026-03-10T11:00:00Z'), to: null })
})

test('without a range the fallback holds, which the URL can lift', () => {
  expect(rangeOf({}, '24h', NOW).preset).toBe('24h')
  expect(rangeOf({ range: 'all' }, '24h', NOW)).toEqual({ preset: null, from: null, to: null })
  expect(rangeOf({ range: 'unknown' }, '24h', NOW).preset).toBe('24h')
})

test('fixed ends come before a named range, and what is no date is left out', () => {
  expect(rangeOf({ range: '1h', from: '2026-03-01T00:00:00Z', to: 'never' }, null, NOW)).toEqual({ preset: null, from: new Date('2026-03-01T00:00:00Z'), to: null })
})
