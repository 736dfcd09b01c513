import { Link, useNavigate } from '@tanstack/react-router'
import { useProjects } from '@/api/projects'
import { useSession } from '@/api/session'
import type { Schema } from '@/api/types'
import { useFormat } from '@/i18n/format'
import type { Column } from '@/list/DataTable'
import { ResourceList } from '@/list/ResourceList'
import { useSearchState } from '@/list/search'
import { Button } from '@/ui/Button'
import { Empty } from '@/ui/Feedback'
import { Page } from '@/ui/Page'
import { Time } from '@/ui/Time'
import { SeverityBadge, StateBadge } from './badges'
import { useMessages } from './messages'
import { contextOf } from './metric'
import { useTexts } from './texts'

type Incident = Schema<'AlertEventView'>

const REFRESH_MS = 5_000

export default function AlertsPage() {
  const t = useMessages()
  const f = useFormat()
  const texts = useTexts()
  const navigate = useNavigate()
  const { projectId } = useSession()
  const { nameOf } = useProjects()
  const [search] = useSearchState()
  const ruleOf = (event: Incident) => contextOf(event).rule
  const columns: Column<Incident>[] = [
    { id: 'rule', header: t.rule, cell: (event) => ruleOf(event).name, value: (event) => ruleOf(event).name },
    { id: 'state', header: t.state, cell: (event) => <StateBadge state={event.state} />, value: (event) => event.state },
    { id: 'severity', header: t.severity, cell: (event) => <SeverityBadge severity={event.severity} />, value: (event) => event.severity },
    { id: 'project', header: t.project, cell: (event) => nameOf(event.project_id), value: (event) => nameOf(event.project_id) },
    { id: 'value', header: t.value, isNumeric: true, cell: (event) => texts.value(ruleOf(event).metric, event.value), value: (event) => event.value },
    { id: 'threshold', header: t.threshold, isNumeric: true, cell: (event) => texts.value(ruleOf(event).metric, ruleOf(event).threshold), value: (event) => ruleOf(event).threshold },
    { id: 'opened', header: t.opened, cell: (event) => <Time at={event.opened_at} />, value: (event) => event.opened_at },
    { id: 'duration', header: t.duration, isNumeric: true, cell: (event) => f.duration(lengthOf(event)), value: lengthOf },
    { id: 'metric', header: t.metric, isOptional: true, cell: (event) => t.metrics[ruleOf(event).metric], value: (event) => ruleOf(event).metric },
    { id: 'selector', header: t.restrictedTo, isOptional: true, cell: (event) => texts.selector(ruleOf(event).selector), value: (event) => texts.selector(ruleOf(event).selector) },
    { id: 'ended', header: t.ended, isOptional: true, cell: (event) => <Time at={event.resolved_at} />, value: (event) => event.resolved_at },
  ]
  return (
    <Page title={t.title} description={t.description} actions={<Button onClick={() => void navigate({ to: '/alert-rules' } as never)}>{t.openRules}</Button>}>
      <ResourceList
        path="/api/v1/alert_events"
        label={t.title}
        columns={columns}
        filters={[
          { name: 'state', label: t.state, options: Object.entries(t.states).map(([value, label]) => ({ value, label })) },
          { name: 'severity', label: t.severity, options: Object.entries(t.severities).map(([value, label]) => ({ value, label })) },
        ]}
        query={{ project_id: projectId ?? undefined, rule_id: search.rule_id }}
        rowKey={(event) => event.id}
        rowLink={(event) => `/alerts/${event.id}`}
        refresh={REFRESH_MS}
        empty={<Empty title={t.empty} action={<Link to="/alert-rules">{t.openRules}</Link>}>{t.emptyHint}</Empty>}
      />
    </Page>
  )
}

/** How long an incident lasted, or has lasted until now. */
function lengthOf(event: Incident): number {
  const end = event.resolved_at ? new Date(event.resolved_at).getTime() : Date.now()
  return end - new Date(event.opened_at).getTime()
}
