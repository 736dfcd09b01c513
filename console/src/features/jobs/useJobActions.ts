import { useChange } from '@/api/hooks'
import { ApiError } from '@/api/request'
import { useCan } from '@/api/session'
import type { Schema } from '@/api/types'
import { notify } from '@/ui/Toasts'
import { useMessages } from './messages'

type Job = Schema<'JobView'>

/** What may be done with a job now. */
export function useJobActions(isInstance: boolean) {
  const t = useMessages()
  const can = useCan()
  const query = { instance: isInstance || undefined }
  const retry = useChange('post', '/api/v1/jobs/{id}/retry', ['/api/v1/jobs'])
  const cancel = useChange('post', '/api/v1/jobs/{id}/cancel', ['/api/v1/jobs'])
  const mayWrite = can('jobs:write')
  return {
    canRetry: (job: Job) => mayWrite && (job.state === 'failed' || job.state === 'cancelled'),
    canCancel: (job: Job) => mayWrite && (job.state === 'queued' || job.state === 'running'),
    async retry(job: Job) {
      try {
        await retry.mutateAsync({ params: { id: job.id }, query })
        notify(t.isQueued)
      } catch (error) {
        notify(error instanceof ApiError ? error.message : String(error))
      }
    },
    /** Throws what its confirmation shows. */
    async cancel(job: Job) {
      await cancel.mutateAsync({ params: { id: job.id }, query })
      notify(t.isCancelled)
    },
  }
}
