import { useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { useRead } from '@/api/hooks'
import { headersOf, urlOf } from '@/api/request'
import type { Schema } from '@/api/types'
import { type Calls, columnsOf } from './calls'

const PAGE_SIZE = 200

/** The first page of a record's calls. */
export function useFirstCalls(id: string) {
  return useRead('/api/v1/function_calls', { query: { record_id: id, limit: PAGE_SIZE } })
}

/** The calls of a record: the first page at once, all of them as soon as they are there. */
export function useCalls(record: Schema<'PerformanceRecordView'>): { calls: Calls | null; isWhole: boolean; error: Error | null; retry: () => void } {
  const page = useFirstCalls(record.id)
  const first = useMemo(() => (page.data ? columnsOf(page.data.data) : null), [page.data])
  const isLonger = Boolean(page.data?.next_cursor)
  const whole = useQuery({
    queryKey: ['calls of record', record.id, record.updated_at],
    queryFn: ({ signal }) => readAll(record.id, signal),
    enabled: isLonger,
    staleTime: Infinity,
    structuralSharing: false,
    retry: false,
  })
  return {
    calls: whole.data ?? first,
    isWhole: Boolean(whole.data) || (page.data !== undefined && !isLonger),
    error: whole.data ? null : (whole.error ?? page.error),
    retry: () => void (whole.error ? whole.refetch() : page.refetch()),
  }
}

function readAll(id: string, signal: AbortSignal): Promise<Calls> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./calls.worker.ts', import.meta.url), { type: 'module' })
    signal.addEventListener('abort', () => worker.terminate())
    worker.onmessage = (event: MessageEvent<{ calls?: Calls; error?: string }>) => {
      // Shows in the browser's performance tools how long it takes until they are drawn.
      performance.mark('calls received')
      const { data } = event
      worker.terminate()
      if (data.calls) resolve(data.calls)
      else reject(new Error(data.error))
    }
    worker.onerror = (event) => {
      worker.terminate()
      reject(new Error(event.message))
    }
    worker.postMessage({ url: urlOf('/api/v1/performance_records/{id}/export', { id }, { format: 'json' }), headers: [...headersOf('get')] })
  })
}
