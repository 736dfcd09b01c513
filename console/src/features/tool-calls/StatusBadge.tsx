import type { Schema } from '@/api/types'
import { Badge, type Tone } from '@/ui/Badge'
import { useMessages } from './messages'

type Status = Schema<'ToolCallStatus'>

const TONES: Record<Status, Tone> = { waiting: 'warning', running: 'info', succeeded: 'success', failed: 'danger', timed_out: 'danger' }

export function StatusBadge({ status }: { status: Status }) {
  const t = useMessages()
  return <Badge tone={TONES[status]}>{t.statuses[status]}</Badge>
}
