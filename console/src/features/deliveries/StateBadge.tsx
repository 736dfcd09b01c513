import type { Schema } from '@/api/types'
import { Badge } from '@/ui/Badge'
import { useMessages } from './messages'

const TONES = { pending: 'info', delivered: 'success', dead: 'danger' } as const

export function StateBadge({ state }: { state: Schema<'DeliveryState'> }) {
  return <Badge tone={TONES[state]}>{useMessages().states[state]}</Badge>
}
