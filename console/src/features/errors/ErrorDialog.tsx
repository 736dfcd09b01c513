import { useRead } from '@/api/hooks'
import { Dialog } from '@/ui/Dialog'
import { Loaded } from '@/ui/Feedback'
import { ErrorDetails } from './ErrorDetails'
import { useMessages } from './messages'

interface ErrorDialogProps {
  id: string
  instance: true | undefined
  onClose: () => void
  hasGroupLink?: boolean
}

/** One error above the list. */
export function ErrorDialog({ id, instance, onClose, hasGroupLink }: ErrorDialogProps) {
  const t = useMessages()
  const error = useRead('/api/v1/error_logs/{id}', { params: { id }, query: { instance } })
  return (
    <Dialog title={error.data?.error_type ?? t.error} isOpen size="wide" onClose={onClose}>
      <Loaded query={error}>{(data) => <ErrorDetails error={data} hasGroupLink={hasGroupLink} />}</Loaded>
    </Dialog>
  )
}
