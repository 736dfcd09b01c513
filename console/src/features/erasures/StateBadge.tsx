import type { Schema } from '@/api/types'
import { Badge } from '@/ui/Badge'
import { useMessages } from './messages'

export function StateBadge({ state }: { state: Schema<'ErasureState'> }) {
  return <Badge tone={state === 'completed' ? 'success' : 'info'}>{useMessages().states[state]}</Badge>
}
