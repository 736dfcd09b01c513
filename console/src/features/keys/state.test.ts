import { expect, test } from 'vitest'
import { stateOf, trial } from './state'

const now = Date.parse('2026-11-30T00:00:00Z')

test('a key works until it expires or is revoked', () => {
  expect(stateOf({ revoked_at: null, expires_at: null }, now)).toBe('valid')
  expect(stateOf({ revoked_at: null, expires_at: '2026-12-01T00:00:00Z' }, now)).toBe('valid')
  expect(stateOf({ revoked_at: null, expires_at: '2026-11-30T00:00:00Z' }, now)).toBe('expired')
  expect(stateOf({ revoked_at: '2026-11-01T00:00:00Z', expires_at: '2026-11-02T00:00:00Z' }, now)).toBe('revoked')
})

test('the command that tries a key needs none of the permissions that it lacks', () => {
  expect(trial('loam_x', 'http://h', ['gateway:call'])).toContain('http://h/v1/models')
  expect(trial('loam_x', 'http://h', ['users:read'])).toContain('http://h/api/v1/session')
})
