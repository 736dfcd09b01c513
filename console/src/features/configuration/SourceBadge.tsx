import type { Schema } from '@/api/types'
import { Badge } from '@/ui/Badge'
import { useMessages } from './messages'

const TONES = { default: 'neutral', global: 'info', tenant: 'success' } as const

/** The highest level at which a value is set. */
export function SourceBadge({ source }: { source: Schema<'ConfigSource'> }) {
  return <Badge tone={TONES[source]}>{useMessages().sources[source]}</Badge>
}
