import { expect, it } from 'vitest'
import { versionOf } from './version'

it('makes the entity tag of a row from its last change', () => {
  expect(versionOf({ updated_at: '1970-01-01T00:00:00.000255Z' })).toBe('"ff"')
  expect(versionOf({ updated_at: '1970-01-01T00:00:01.5Z' })).toBe('"16e360"')
  expect(versionOf({ updated_at: '2026-11-30T23:32:56Z' })).toBe(`"${(Date.UTC(2026, 10, 30, 23, 32, 56) * 1000).toString(16)}"`)
})
