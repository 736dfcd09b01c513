import { Link, useParams } from '@tanstack/react-router'
import { useRead } from '@/api/hooks'
import { useCan, useIsOperator } from '@/api/session'
import type { Schema } from '@/api/types'
import { shortId, useFormat } from '@/i18n/format'
import { KeyName, ProjectName, UserName } from '@/list/Names'
import { useSearchState } from '@/list/search'
import { Id, JsonBlock } from '@/ui/Code'
import { Loaded } from '@/ui/Feedback'
import { Card, Facts, Grid, Page } from '@/ui/Page'
import { DateTime } from '@/ui/Time'
import { useMessages } from './messages'
import { StatusBadge } from './StatusBadge'

export default function RequestPage() {
  const t = useMessages()
  const isOperator = useIsOperator()
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  const [search] = useSearchState()
  const instance = (isOperator && search.instance === 'true') || undefined
  const row = useRead('/api/v1/api_logs/{id}', { params: { id }, query: { instance } })
  return (
    <Page title={row.data ? `${row.data.method} ${row.data.path}` : t.request} parent={{ title: t.title, to: '/api-log' }}>
      <Loaded query={row} lines={10}>
        {(data) => <Details row={data} />}
      </Loaded>
    </Page>
  )
}

function Details({ row }: { row: Schema<'ApiLogView'> }) {
  const t = useMessages()
  const f = useFormat()
  const can = useCan()
  const hasQuery = row.query_params !== null && JSON.stringify(row.query_params) !== '{}'
  return (
    <>
      <Card actions={row.status_code >= 500 && can('error_logs:read') && <Link to="/error-log" search={{ request_id: row.request_id } as never}>{t.errors}</Link>}>
        <Facts
          facts={[
            [t.status, <StatusBadge status={row.status_code} />],
            [t.time, <DateTime at={row.created_at} />],
            [t.latency, f.duration(row.latency_ms)],
            [t.size, f.bytes(row.response_bytes)],
            [t.requestId, <Id id={row.request_id} />],
            [t.user, row.user_id && <UserName id={row.user_id} />],
            [t.apiKey, row.api_key_id && <KeyName id={row.api_key_id} />],
            [t.project, row.project_id && <ProjectName id={row.project_id} />],
            [t.session, row.session_id && <Link to={`/chat/${row.session_id}`}>{shortId(row.session_id)}</Link>],
            [t.address, row.ip_address],
            [t.userAgent, row.user_agent],
          ]}
        />
      </Card>
      <Grid min="26rem">
        {hasQuery && (
          <Card title={t.query}>
            <JsonBlock value={row.query_params} label={t.query} />
          </Card>
        )}
        <Part title={t.headers} value={row.headers} />
        <Part title={t.body} value={row.body} />
        <Part title={t.responseBody} value={row.response_body} />
      </Grid>
    </>
  )
}

function Part({ title, value }: { title: string; value: unknown }) {
  const t = useMessages()
  return <Card title={title}>{value === undefined || value === null ? <p>{t.noBody}</p> : <JsonBlock value={value} label={title} />}</Card>
}
