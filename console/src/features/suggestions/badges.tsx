import type { Schema } from '@/api/types'
import { Badge, type Tone } from '@/ui/Badge'
import { useMessages } from './messages'

const STATUSES: Record<Schema<'SuggestionStatus'>, Tone> = { open: 'info', accepted: 'warning', dismissed: 'neutral', done: 'success' }
const PRIORITIES: Record<string, Tone> = { high: 'danger', medium: 'warning', low: 'neutral' }

export function StatusBadge({ status }: { status: Schema<'SuggestionStatus'> }) {
  const t = useMessages()
  return <Badge tone={STATUSES[status]}>{t.statuses[status]}</Badge>
}

export function PriorityBadge({ priority }: { priority: string }) {
  const t = useMessages()
  return <Badge tone={PRIORITIES[priority]}>{t.priorities[priority as keyof typeof t.priorities] ?? priority}</Badge>
}
