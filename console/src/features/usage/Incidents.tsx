import { Link } from '@tanstack/react-router'
import { useRead } from '@/api/hooks'
import { useCan, useSession } from '@/api/session'
import type { Schema } from '@/api/types'
import { Badge, type Tone } from '@/ui/Badge'
import { Loaded } from '@/ui/Feedback'
import { Card } from '@/ui/Page'
import { Time } from '@/ui/Time'
import { useMessages } from './messages'
import styles from './usage.module.css'

const REFRESH_MS = 10_000
const TONES: Record<Schema<'AlertSeverity'>, Tone> = { critical: 'danger', high: 'danger', medium: 'warning', low: 'info' }

/** Incidents that nobody has resolved. */
export function Incidents() {
  const t = useMessages()
  const can = useCan()
  const { projectId } = useSession()
  const open = useRead('/api/v1/alert_events', { query: { state: 'open', limit: 10, project_id: projectId ?? undefined } }, { refresh: REFRESH_MS })
  return (
    <Card title={t.incidents}>
      <Loaded query={open}>
        {({ data }) =>
          data.length === 0 ? (
            <p>
              {t.noIncidents} {can('alert_rules:read') && <Link to="/alert-rules">{t.incidentRules}</Link>}
            </p>
          ) : (
            <ul className={styles.incidents}>
              {data.map((incident) => (
                <li key={incident.id}>
                  <Badge tone={TONES[incident.severity]}>{t.severities[incident.severity]}</Badge> <Link to={`/alerts/${incident.id}`}>{ruleName(incident)}</Link> {t.since} <Time at={incident.opened_at} />
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </Card>
  )
}

function ruleName(incident: Schema<'AlertEventView'>): string {
  const rule = incident.context.rule as { name?: string } | undefined
  return rule?.name ?? incident.rule_id
}
