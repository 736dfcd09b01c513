import { Link, useParams } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import { useChange, useRead } from '@/api/hooks'
import { useProjects } from '@/api/projects'
import { useCan } from '@/api/session'
import type { Schema } from '@/api/types'
import { useFormat } from '@/i18n/format'
import { Button } from '@/ui/Button'
import { ConfirmDialog } from '@/ui/Dialog'
import { ErrorMessage, Loaded } from '@/ui/Feedback'
import { Card, Facts, Page } from '@/ui/Page'
import { DateTime } from '@/ui/Time'
import styles from './alerts.module.css'
import { SeverityBadge, StateBadge } from './badges'
import { spanOf } from './chart'
import { Deliveries } from './Deliveries'
import { useMessages } from './messages'
import { contextOf } from './metric'
import { useTexts } from './texts'
import { Timeline } from './Timeline'
import { ValueChart } from './ValueChart'

const REFRESH_MS = 5_000
const MINUTE = 60_000

export default function AlertPage() {
  const t = useMessages()
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  const event = useRead('/api/v1/alert_events/{id}', { params: { id } }, { refresh: (data) => data?.state !== 'resolved' && REFRESH_MS })
  return (
    <Page title={event.data ? contextOf(event.data).rule.name : t.incident} parent={{ title: t.title, to: '/alerts' }} actions={event.data && <Actions event={event.data} />}>
      <Loaded query={event} lines={10}>
        {(data) => <Details event={data} />}
      </Loaded>
    </Page>
  )
}

function Actions({ event }: { event: Schema<'AlertEventView'> }) {
  const t = useMessages()
  const can = useCan()
  const [isResolving, setResolving] = useState(false)
  const acknowledge = useChange('post', '/api/v1/alert_events/{id}/acknowledge', ['/api/v1/alert_events'])
  const resolve = useChange('post', '/api/v1/alert_events/{id}/resolve', ['/api/v1/alert_'])
  if (!can('alert_events:write') || event.state === 'resolved') return null
  const params = { id: event.id }
  return (
    <>
      {acknowledge.error && <ErrorMessage error={acknowledge.error} />}
      {event.state === 'open' && (
        <Button title={t.acknowledgeHelp} isBusy={acknowledge.isPending} onClick={() => acknowledge.mutate({ params })}>
          {t.acknowledge}
        </Button>
      )}
      <Button look="primary" onClick={() => setResolving(true)}>
        {t.resolve}
      </Button>
      <ConfirmDialog title={t.resolveTitle} description={t.resolveHelp} action={t.resolve} isOpen={isResolving} onClose={() => setResolving(false)} onConfirm={() => resolve.mutateAsync({ params })} />
    </>
  )
}

function Details({ event }: { event: Schema<'AlertEventView'> }) {
  const t = useMessages()
  const f = useFormat()
  const texts = useTexts()
  const { nameOf } = useProjects()
  const can = useCan()
  const rule = useRead('/api/v1/alert_rules/{id}', { params: { id: event.rule_id } }, { enabled: can('alert_rules:read') })
  const context = contextOf(event)
  const windowSeconds = (new Date(context.to).getTime() - new Date(context.from).getTime()) / 1000
  const minute = Math.floor(Date.now() / MINUTE)
  const span = useMemo(() => spanOf(event, windowSeconds, minute * MINUTE), [event.opened_at, event.resolved_at, windowSeconds, event.resolved_at ? 0 : minute])
  const range = { project_id: event.project_id, from: new Date(span.from).toISOString(), to: new Date(span.to).toISOString() }
  const { endpoint, version, model } = context.rule.selector
  return (
    <>
      <Card>
        <p className={styles.observed}>{texts.observed(context.rule, event.value)}</p>
        <Facts
          facts={[
            [t.state, <StateBadge state={event.state} />],
            [t.severity, <SeverityBadge severity={event.severity} />],
            [t.project, nameOf(event.project_id)],
            [t.rule, <Link to="/alert-rules" search={{ rule: event.rule_id } as never}>{rule.data?.name ?? context.rule.name}</Link>],
            [t.restrictedTo, texts.selector(context.rule.selector) || t.wholeProject],
            [t.measuredFrom, `${f.dateTime(context.from)} – ${f.dateTime(context.to)}`],
            [t.samples, f.number(context.samples)],
            [t.recoverThreshold, texts.value(context.rule.metric, context.rule.recover_threshold ?? context.rule.threshold)],
            [t.opened, <DateTime at={event.opened_at} />],
            [t.ended, event.resolved_at && <DateTime at={event.resolved_at} />],
          ]}
        />
      </Card>
      <Card
        title={t.around}
        actions={
          context.rule.metric === 'cost' ? (
            <Link to="/calls" search={{ model, from: range.from, to: range.to } as never}>{t.callsThen}</Link>
          ) : context.rule.metric === 'performance_metric' ? null : (
            <Link to="/records" search={{ ...range, endpoint, version } as never}>{t.requestsThen}</Link>
          )
        }
      >
        <ValueChart projectId={event.project_id} rule={context.rule} span={span} />
      </Card>
      <Card title={t.timeline}>
        <Timeline event={event} />
      </Card>
      <Card title={t.deliveries}>
        <Deliveries event={event} />
      </Card>
    </>
  )
}
