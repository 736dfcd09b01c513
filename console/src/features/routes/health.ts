import type { Schema } from '@/api/types'

type Call = Pick<Schema<'LlmCallView'>, 'attempts' | 'created_at'>

/** How the latest attempts at a target went. */
export interface Health {
  attempts: number
  failures: number
  lastError: string | null
  /** When the last call with an attempt at it began. */
  lastAt: string
  state: 'works' | 'unsteady' | 'fails'
}

/** How targets fare, by the attempts of calls, of which the newest come first. The API doesn't tell which targets are
 * in cool-down, but each attempt is on record. */
export function healthOf(calls: Call[]): Map<string, Health> {
  const found = new Map<string, Health>()
  for (const call of calls) {
    // The last attempt of a call is its newest.
    for (const attempt of call.attempts.toReversed()) {
      const isFailed = attempt.error !== null
      const health = found.get(attempt.target) ?? { attempts: 0, failures: 0, lastError: null, lastAt: call.created_at, state: isFailed ? 'fails' : 'works' }
      health.attempts += 1
      if (isFailed) {
        health.failures += 1
        health.lastError ??= attempt.error
        if (health.state === 'works') health.state = 'unsteady'
      }
      found.set(attempt.target, health)
    }
  }
  return found
}
