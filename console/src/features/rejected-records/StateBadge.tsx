import type { Schema } from '@/api/types'
import { Badge } from '@/ui/Badge'
import { useMessages } from './messages'

const TONES = { rejected: 'danger', mended: 'info', replayed: 'success' } as const

export function StateBadge({ state }: { state: Schema<'RejectedState'> }) {
  return <Badge tone={TONES[state]}>{useMessages().states[state]}</Badge>
}
