import { Link } from '@tanstack/react-router'
import type { Schema } from '@/api/types'
import { shortId, useFormat } from '@/i18n/format'
import type { Column } from '@/list/DataTable'
import type { Filter } from '@/list/FilterBar'
import { ResourceList } from '@/list/ResourceList'
import { Empty } from '@/ui/Feedback'
import { Page } from '@/ui/Page'
import { Time } from '@/ui/Time'
import { useMessages } from './messages'
import { StatusBadge } from './StatusBadge'

type Call = Schema<'ToolCallView'>

const REFRESH_MS = 5_000

export default function ToolCallsPage() {
  const t = useMessages()
  const f = useFormat()
  const columns: Column<Call>[] = [
    { id: 'tool', header: t.tool, cell: (call) => call.tool_name, value: (call) => call.tool_name },
    { id: 'status', header: t.status, cell: (call) => <StatusBadge status={call.status} />, value: (call) => call.status },
    { id: 'time', header: t.time, cell: (call) => <Time at={call.created_at} />, value: (call) => call.created_at },
    { id: 'duration', header: t.duration, isNumeric: true, cell: (call) => f.duration(call.duration_ms), value: (call) => call.duration_ms },
    { id: 'error', header: t.error, cell: (call) => call.error_message ?? '', value: (call) => call.error_message },
    { id: 'session', header: t.session, cell: (call) => call.session_id && <Link to={`/chat/${call.session_id}`}>{shortId(call.session_id)}</Link>, value: (call) => call.session_id },
    { id: 'call', header: t.call, cell: (call) => call.llm_call_id && <Link to={`/calls/${call.llm_call_id}`}>{shortId(call.llm_call_id)}</Link>, value: (call) => call.llm_call_id },
    { id: 'trace', header: t.trace, isOptional: true, cell: (call) => call.trace_id && <code>{call.trace_id}</code>, value: (call) => call.trace_id },
  ]
  const filters: Filter[] = [
    { name: 'tool_name', label: t.tool },
    { name: 'status', label: t.status, options: Object.entries(t.statuses).map(([value, label]) => ({ value, label })) },
    { name: 'session_id', label: t.sessionId },
    { name: 'llm_call_id', label: t.modelCallId },
    { name: 'trace_id', label: t.traceId },
  ]
  return (
    <Page title={t.title} description={t.description}>
      <ResourceList
        path="/api/v1/tool_calls"
        label={t.title}
        columns={columns}
        filters={filters}
        timeParameters={['created_after', 'created_before']}
        rowKey={(call) => call.id}
        rowLink={(call) => `/tool-calls/${call.id}`}
        refresh={REFRESH_MS}
        empty={<Empty title={t.empty}>{t.emptyHint}</Empty>}
      />
    </Page>
  )
}
