import { useMemo } from 'react'
import { useRead } from '@/api/hooks'
import { useCan } from '@/api/session'

/** What the newest calls of a session cost, by their ids. */
export function useCosts(sessionId: string): Map<string, number> {
  const can = useCan()
  const calls = useRead('/api/v1/llm_calls', { query: { session_id: sessionId, limit: 200 } }, { enabled: can('llm_calls:read') })
  return useMemo(() => new Map((calls.data?.data ?? []).flatMap(({ id, cost_usd }) => (cost_usd === null ? [] : [[id, cost_usd] as const]))), [calls.data])
}
