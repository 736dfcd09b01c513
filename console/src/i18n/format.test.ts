import { beforeEach, expect, test } from 'vitest'
import { format } from './format'
import { setLanguage } from './language'

beforeEach(() => setLanguage('en'))

test('durations stand in the unit that suits', () => {
  expect([0, 0.25, 12.34, 999, 4560, 200_000, 7_500_000, 200_000_000].map(format.duration)).toEqual(['0 ms', '250 µs', '12.3 ms', '999 ms', '4.56 s', '3 min 20 s', '2 h 5 min', '2 d 7 h'])
})

test('small amounts of money keep their digits', () => {
  expect([0, 0.000059, 0.0123, 1234.5, null].map(format.money)).toEqual(['$0.00', '$0.000059', '$0.0123', '$1,234.50', '–'])
})

test('sizes count by 1024', () => {
  expect([0, 1023, 1536, 5 * 1024 ** 3].map(format.bytes)).toEqual(['0 B', '1,020 B', '1.5 KiB', '5 GiB'])
})

test('distances in time stand in the language of the page', () => {
  const now = Date.parse('2026-03-10T12:00:00Z')
  expect(format.relative('2026-03-10T11:57:00Z', now)).toBe('3 minutes ago')
  setLanguage('zh')
  expect(format.relative('2026-03-10T11:57:00Z', now)).toBe('3分钟前')
})
