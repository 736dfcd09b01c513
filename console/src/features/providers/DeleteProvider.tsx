import { useState } from 'react'
import { useChange } from '@/api/hooks'
import type { ApiError } from '@/api/request'
import type { Schema } from '@/api/types'
import { useWords } from '@/i18n/words'
import { Button } from '@/ui/Button'
import { Dialog } from '@/ui/Dialog'
import { ErrorMessage } from '@/ui/Feedback'
import { useUiMessages } from '@/ui/messages'
import { notify } from '@/ui/Toasts'
import { useMessages } from './messages'

/** Asks before a provider is deleted. If routes use it, it names them and offers to remove the provider there. */
export function DeleteProvider({ provider, onClose }: { provider: Schema<'AiProviderView'>; onClose: () => void }) {
  const t = useMessages()
  const w = useWords()
  const ui = useUiMessages()
  const remove = useChange('delete', '/api/v1/ai_providers/{id}', ['/api/v1/ai_providers', '/api/v1/model_routes'])
  const [error, setError] = useState<ApiError | null>(null)
  const isUsed = error?.code === 'in_use'
  async function confirm() {
    setError(null)
    try {
      await remove.mutateAsync({ params: { id: provider.id }, query: { cascade: isUsed || undefined } })
      notify(w.deleted(provider.name))
      onClose()
    } catch (cause) {
      setError(cause as ApiError)
    }
  }
  return (
    <Dialog
      title={t.deleteTitle(provider.name)}
      description={isUsed ? t.cascadeHint : t.deleteHint}
      isOpen
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{ui.cancel}</Button>
          <Button look="danger" isBusy={remove.isPending} onClick={confirm}>
            {isUsed ? t.cascade : w.delete}
          </Button>
        </>
      }
    >
      {error && <ErrorMessage error={error} />}
    </Dialog>
  )
}
