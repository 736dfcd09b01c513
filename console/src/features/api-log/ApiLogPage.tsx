import { Link } from '@tanstack/react-router'
import { useCan, useIsOperator, useSession } from '@/api/session'
import type { Schema } from '@/api/types'
import { shortId, useFormat } from '@/i18n/format'
import type { Column } from '@/list/DataTable'
import type { Filter } from '@/list/FilterBar'
import { KeyName, ProjectName, UserName } from '@/list/Names'
import { ResourceList } from '@/list/ResourceList'
import { useSearchState } from '@/list/search'
import { Empty } from '@/ui/Feedback'
import { Page } from '@/ui/Page'
import { Time } from '@/ui/Time'
import { useMessages } from './messages'
import { StatusBadge } from './StatusBadge'

const REFRESH_MS = 5_000
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']

export default function ApiLogPage() {
  const t = useMessages()
  const f = useFormat()
  const can = useCan()
  const isOperator = useIsOperator()
  const { projectId } = useSession()
  const [search] = useSearchState()
  const isInstance = isOperator && search.instance === 'true'
  const columns: Column<Schema<'ApiLogView'>>[] = [
    { id: 'time', header: t.time, cell: (row) => <Time at={row.created_at} />, value: (row) => row.created_at },
    { id: 'method', header: t.method, cell: (row) => <code>{row.method}</code>, value: (row) => row.method },
    { id: 'path', header: t.path, cell: (row) => <code title={row.path}>{row.path}</code>, value: (row) => row.path },
    { id: 'status', header: t.status, cell: (row) => <StatusBadge status={row.status_code} />, value: (row) => row.status_code },
    { id: 'latency', header: t.latency, isNumeric: true, cell: (row) => f.duration(row.latency_ms), value: (row) => row.latency_ms },
    { id: 'size', header: t.size, isNumeric: true, cell: (row) => f.bytes(row.response_bytes), value: (row) => row.response_bytes },
    { id: 'user', header: t.user, cell: (row) => row.user_id && <UserName id={row.user_id} />, value: (row) => row.user_id },
    { id: 'apiKey', header: t.apiKey, cell: (row) => row.api_key_id && <KeyName id={row.api_key_id} />, value: (row) => row.api_key_id },
    { id: 'session', header: t.session, isOptional: true, cell: (row) => row.session_id && <Link to={`/chat/${row.session_id}`}>{shortId(row.session_id)}</Link>, value: (row) => row.session_id },
    { id: 'project', header: t.project, isOptional: true, cell: (row) => row.project_id && <ProjectName id={row.project_id} />, value: (row) => row.project_id },
    { id: 'address', header: t.address, isOptional: true, cell: (row) => row.ip_address ?? '', value: (row) => row.ip_address },
    { id: 'userAgent', header: t.userAgent, isOptional: true, cell: (row) => row.user_agent ?? '', value: (row) => row.user_agent },
    { id: 'requestId', header: t.requestId, isOptional: true, cell: (row) => <code>{row.request_id}</code>, value: (row) => row.request_id },
  ]
  const filters: Filter[] = [
    ...(isOperator ? [{ name: 'instance', label: t.scope, options: [{ value: 'true', label: t.ofInstance }] }] : []),
    { name: 'min_status_code', label: t.statusFrom, options: [{ value: '400', label: t.from400 }, { value: '500', label: t.from500 }] },
    { name: 'status_code', label: t.statusCode },
    { name: 'method', label: t.method, options: METHODS.map((value) => ({ value, label: value })) },
    { name: 'path_prefix', label: t.pathPrefix },
    { name: 'user_id', label: t.userId },
    { name: 'session_id', label: t.sessionId },
    { name: 'request_id', label: t.requestId },
  ]
  return (
    <Page title={t.title} description={<>{t.description} {can('system_config:read') && <Link to="/configuration/records.api_logs">{t.setting}</Link>}</>}>
      <ResourceList
        path="/api/v1/api_logs"
        label={t.title}
        columns={columns}
        filters={filters}
        query={{ project_id: projectId ?? undefined, api_key_id: search.api_key_id }}
        timeParameters={['created_after', 'created_before']}
        rowKey={(row) => row.id}
        rowLink={(row) => `/api-log/${row.id}${isInstance ? '?instance=true' : ''}`}
        refresh={REFRESH_MS}
        empty={<Empty title={t.empty} command={'loam config set records.api_logs \'{"sampling": {"reads": 1}, "bodies": true}\''}>{t.emptyHint}</Empty>}
      />
    </Page>
  )
}
