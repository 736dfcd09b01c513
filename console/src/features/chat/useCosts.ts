import { useMemo } from 'react'
import { useRead } from '@/api/hooks'
import { useCan } from '@/api/session'

/** A call is settled a moment after its answer. */
const SETTLES_MS = 1_500

/** What the newest calls of a session cost, by their ids. */
export function useCosts(sessionId: string): Map<string, number> {
  const can = useCan()
  const calls = useRead('/api/v1/llm_calls', { query: { session_id: sessionId, limit: 200 } }, { enabled: can('llm_calls:read'), refresh: (data) => data?.data.some(({ state }) => state === 'open') === true && SETTLES_MS })
  return useMemo(() => new Map((calls.data?.data ?? []).flatMap(({ id, cost_usd }) => (cost_usd === null ? [] : [[id, cost_usd] as const]))), [calls.data])
}
