import type { Schema } from '@/api/types'
import { Badge, type Tone } from '@/ui/Badge'
import { useMessages } from './messages'

type State = Schema<'CallState'>

const TONES: Record<State, Tone> = { open: 'info', settled: 'success', estimated: 'warning', failed: 'danger', orphaned: 'danger', refused: 'warning' }

/** The state of a call in the ledger. */
export function StateBadge({ state }: { state: State }) {
  const t = useMessages()
  return <Badge tone={TONES[state]}>{t.states[state]}</Badge>
}
