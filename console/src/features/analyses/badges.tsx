import type { Schema } from '@/api/types'
import { Badge, type Tone } from '@/ui/Badge'
import { useMessages } from './messages'

const STATUSES: Record<Schema<'AnalysisStatus'>, Tone> = { pending: 'info', completed: 'success', failed: 'danger' }
const SEVERITIES: Record<string, Tone> = { critical: 'danger', high: 'danger', medium: 'warning', low: 'neutral' }

export function StatusBadge({ status }: { status: Schema<'AnalysisStatus'> }) {
  const t = useMessages()
  return <Badge tone={STATUSES[status]}>{t.statuses[status]}</Badge>
}

export function SeverityBadge({ severity }: { severity: string }) {
  const t = useMessages()
  return <Badge tone={SEVERITIES[severity]}>{t.severities[severity as keyof typeof t.severities] ?? severity}</Badge>
}
