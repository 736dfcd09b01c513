import { expect, test } from 'vitest'
import { healthOf } from './health'

const attempt = (target: string, error: string | null) => ({ target, error, status: error ? 500 : 200, duration_ms: 1 })
const call = (...attempts: ReturnType<typeof attempt>[]) => ({ attempts, created_at: '2026-11-30T00:00:00Z' })

test('a target whose newest attempt failed fails', () => {
  const health = healthOf([call(attempt('a/m', 'broken')), call(attempt('a/m', null))]).get('a/m')
  expect(health).toMatchObject({ state: 'fails', attempts: 2, failures: 1, lastError: 'broken' })
})

test('a target that works again is unsteady while a failure is among the latest', () => {
  expect(healthOf([call(attempt('a/m', null)), call(attempt('a/m', 'broken'))]).get('a/m')?.state).toBe('unsteady')
})

test('the last attempt of a call is its newest', () => {
  const health = healthOf([call(attempt('a/m', 'broken'), attempt('b/m', null), attempt('a/m', null))])
  expect(health.get('a/m')?.state).toBe('unsteady')
  expect(health.get('b/m')?.state).toBe('works')
})
