import { useChange } from '@/api/hooks'
import { ApiError } from '@/api/request'
import { notify } from '@/ui/Toasts'
import { useMessages } from './messages'

const PATH = '/api/v1/webhook_deliveries'

/** What may be done with deliveries. */
export function useDeliveryActions() {
  const t = useMessages()
  const retry = useChange('post', `${PATH}/{id}/retry`, [PATH])
  const remove = useChange('delete', `${PATH}/{id}`, [PATH])
  return {
    isRetrying: retry.isPending,
    async retry(id: string) {
      try {
        await retry.mutateAsync({ params: { id } })
        notify(t.isRetried)
      } catch (error) {
        notify(error instanceof ApiError ? error.message : String(error))
      }
    },
    /** Throws what its confirmation shows. */
    async remove(id: string) {
      await remove.mutateAsync({ params: { id } })
      notify(t.isDeleted)
    },
  }
}
