import { useChange } from '@/api/hooks'
import type { Schema } from '@/api/types'
import { notify } from '@/ui/Toasts'
import { useMessages } from './messages'

type Status = Schema<'SuggestionStatus'>

/** Changes the status of a suggestion. */
export function useStatusChange() {
  const t = useMessages()
  const update = useChange('patch', '/api/v1/suggestions/{id}', ['/api/v1/suggestions'])
  const names: Record<Status, string> = { accepted: t.accept, dismissed: t.dismiss, done: t.done, open: t.reopen }
  async function change(suggestion: Schema<'SuggestionView'>, status: Status) {
    try {
      await update.mutateAsync({ params: { id: suggestion.id }, body: { status } })
      notify(t.changed)
    } catch (error) {
      notify((error as Error).message)
    }
  }
  return { names, change, isPending: update.isPending }
}
