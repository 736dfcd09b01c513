import type { Schema } from '@/api/types'
import { Badge, type Tone } from '@/ui/Badge'
import { useMessages } from './messages'

const SEVERITIES: Record<Schema<'AlertSeverity'>, Tone> = { critical: 'danger', high: 'warning', medium: 'info', low: 'neutral' }
const STATES: Record<Schema<'EventState'>, Tone> = { open: 'danger', acknowledged: 'warning', resolved: 'success' }
const RULE_STATES: Record<Schema<'RuleState'>, Tone> = { ok: 'success', pending: 'warning', firing: 'danger', resolved: 'info' }

export function SeverityBadge({ severity }: { severity: Schema<'AlertSeverity'> }) {
  const t = useMessages()
  return <Badge tone={SEVERITIES[severity]}>{t.severities[severity]}</Badge>
}

/** The state of an incident. */
export function StateBadge({ state }: { state: Schema<'EventState'> }) {
  const t = useMessages()
  return <Badge tone={STATES[state]}>{t.states[state]}</Badge>
}

/** The state of a rule, or that it is paused. */
export function RuleStateBadge({ rule }: { rule: Schema<'AlertRuleView'> }) {
  const t = useMessages()
  if (!rule.is_active) return <Badge>{t.paused}</Badge>
  return <Badge tone={RULE_STATES[rule.state]}>{t.ruleStates[rule.state]}</Badge>
}
