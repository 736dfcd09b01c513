import { Badge, type Tone } from '@/ui/Badge'

/** An HTTP status, coloured by its class. */
export function StatusBadge({ status }: { status: number }) {
  const tone: Tone = status >= 500 ? 'danger' : status >= 400 ? 'warning' : 'success'
  return <Badge tone={tone}>{status}</Badge>
}
