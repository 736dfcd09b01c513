import type { Schema } from '@/api/types'
import { Badge, type Tone } from '@/ui/Badge'
import { useMessages } from './messages'

type State = Schema<'JobState'>

const TONES: Record<State, Tone> = { queued: 'neutral', running: 'info', succeeded: 'success', failed: 'danger', cancelled: 'warning' }

export function StateBadge({ state }: { state: State }) {
  return <Badge tone={TONES[state]}>{useMessages().states[state]}</Badge>
}
