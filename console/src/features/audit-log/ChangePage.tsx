import { Link, useParams } from '@tanstack/react-router'
import { useRead } from '@/api/hooks'
import type { Schema } from '@/api/types'
import { isId } from '@/feature'
import { Actor } from '@/list/Names'
import { Badge } from '@/ui/Badge'
import { Id, JsonBlock } from '@/ui/Code'
import { Loaded } from '@/ui/Feedback'
import { FieldDiff } from '@/ui/FieldDiff'
import { Card, Facts, Page } from '@/ui/Page'
import { DateTime } from '@/ui/Time'
import { beforeAndAfter } from './before'
import { useMessages } from './messages'
import { resourcePath } from './resources'

type Change = Schema<'AuditLogView'>

export default function ChangePage() {
  const t = useMessages()
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  const change = useRead('/api/v1/audit_logs/{id}', { params: { id } })
  return (
    <Page title={change.data ? `${t.actions[change.data.action] ?? change.data.action} · ${change.data.resource_type}` : t.change} parent={{ title: t.title, to: '/audit-log' }}>
      <Loaded query={change} lines={10}>
        {(data) => <Details change={data} />}
      </Loaded>
    </Page>
  )
}

function Details({ change }: { change: Change }) {
  const t = useMessages()
  const { resource_type, resource_id } = change
  const path = resourcePath(resource_type, resource_id)
  return (
    <>
      <Card actions={<Link to="/audit-log" search={{ resource_type, resource_id } as never}>{t.history}</Link>}>
        <Facts
          facts={[
            [t.time, <DateTime at={change.created_at} />],
            [t.actor, <Actor actor={change.actor} />],
            [t.action, <>{t.actions[change.action] ?? change.action} <code>{change.action}</code></>],
            [t.resource, <>{path ? <Link to={path}><code>{resource_type}</code></Link> : <code>{resource_type}</code>} {isId(resource_id) ? <Id id={resource_id} /> : <code>{resource_id}</code>}</>],
            [t.address, change.ip_address],
            [t.userAgent, change.user_agent],
            [t.requestId, change.request_id && <Id id={change.request_id} />],
            [t.erased, change.erased_at && <DateTime at={change.erased_at} />],
          ]}
        />
      </Card>
      <Card title={t.changes}>{change.erased_at ? <p>{t.isErased}</p> : <Fields change={change} />}</Card>
      <Card title={t.chain}>
        <Facts
          facts={[
            [t.sequence, <Badge>{change.sequence}</Badge>],
            [t.hash, <code>{change.hash}</code>],
            [t.previousHash, <code>{change.previous_hash}</code>],
          ]}
        />
      </Card>
      <Card title={t.raw}>
        <JsonBlock value={change} label={t.raw} />
      </Card>
    </>
  )
}

const MOST_EARLIER = 200

function Fields({ change }: { change: Change }) {
  const t = useMessages()
  const { resource_type, resource_id, created_at } = change
  const earlier = useRead('/api/v1/audit_logs', { query: { resource_type, resource_id, created_before: created_at, limit: MOST_EARLIER } })
  return (
    <Loaded query={earlier}>
      {({ data }) => {
        const { before, after, isRecorded } = beforeAndAfter(change, data)
        if (!isRecorded && Object.keys(after as object).length === 0) return <p>{t.noChanges}</p>
        return (
          <>
            <FieldDiff label={t.changes} before={before} after={after} />
            {change.action !== 'create' && !isRecorded && <p>{t.beforeHint}</p>}
          </>
        )
      }}
    </Loaded>
  )
}
