import { Link } from '@tanstack/react-router'
import { useSession } from '@/api/session'
import type { Schema } from '@/api/types'
import { shortId, useFormat } from '@/i18n/format'
import type { Column } from '@/list/DataTable'
import type { Filter } from '@/list/FilterBar'
import { useProject } from '@/list/ProjectFilter'
import { ResourceList } from '@/list/ResourceList'
import { useSearchState } from '@/list/search'
import { Empty } from '@/ui/Feedback'
import { Page } from '@/ui/Page'
import { Time } from '@/ui/Time'
import { useMessages } from './messages'
import { Score, Status } from './Status'

type Record_ = Schema<'PerformanceRecordView'>

const REFRESH_MS = 5_000

export default function RecordsPage() {
  const t = useMessages()
  const f = useFormat()
  const { projectId } = useSession()
  const [search] = useSearchState()
  const project = search.project_id ?? projectId
  const { projects } = useProject()
  const seconds = (value: number | null) => f.duration(value === null ? null : value * 1000)
  const columns: Column<Record_>[] = [
    { id: 'endpoint', header: t.endpoint, cell: (record) => record.endpoint, value: (record) => record.endpoint },
    { id: 'time', header: t.time, cell: (record) => <Time at={record.timestamp} />, value: (record) => record.timestamp },
    { id: 'duration', header: t.duration, isNumeric: true, cell: (record) => seconds(record.performance_metrics.total_duration), value: (record) => record.performance_metrics.total_duration },
    { id: 'status', header: t.status, cell: (record) => <Status record={record} />, value: (record) => record.response_info.status_code },
    { id: 'score', header: t.score, isNumeric: true, cell: (record) => <Score score={record.score} />, value: (record) => record.score },
    { id: 'calls', header: t.calls, isNumeric: true, cell: (record) => f.number(record.call_count), value: (record) => record.call_count },
    { id: 'queries', header: t.queries, isNumeric: true, cell: (record) => f.number(record.performance_metrics.database_metrics.query_count), value: (record) => record.performance_metrics.database_metrics.query_count },
    { id: 'queryTime', header: t.queryTime, isNumeric: true, cell: (record) => seconds(record.performance_metrics.database_metrics.query_time), value: (record) => record.performance_metrics.database_metrics.query_time },
    { id: 'version', header: t.version, cell: (record) => record.version_info.app_version ?? '', value: (record) => record.version_info.app_version },
    { id: 'path', header: t.path, isOptional: true, cell: (record) => <code>{record.request_info.path}</code>, value: (record) => record.request_info.path },
    { id: 'outcome', header: t.outcome, isOptional: true, cell: (record) => (record.is_error ? t.failed : t.succeeded), value: (record) => record.is_error },
    { id: 'cpu', header: t.cpuTime, isOptional: true, isNumeric: true, cell: (record) => seconds(record.performance_metrics.cpu_time), value: (record) => record.performance_metrics.cpu_time },
    { id: 'memory', header: t.peakMemory, isOptional: true, isNumeric: true, cell: (record) => f.bytes(record.performance_metrics.memory_usage.peak_bytes), value: (record) => record.performance_metrics.memory_usage.peak_bytes },
    { id: 'service', header: t.service, isOptional: true, cell: (record) => record.service ?? '', value: (record) => record.service },
    { id: 'source', header: t.source, isOptional: true, cell: (record) => t.sources[record.source as keyof typeof t.sources] ?? record.source, value: (record) => record.source },
    { id: 'trace', header: t.trace, isOptional: true, cell: (record) => <Link to="/records" search={{ trace_id: record.trace_id } as never}><code>{shortId(record.trace_id)}</code></Link>, value: (record) => record.trace_id },
  ]
  const filters: Filter[] = [
    ...(project !== projectId || !projectId ? [{ name: 'project_id', label: t.project, options: projects.map(({ id, name }) => ({ value: id, label: name })) }] : []),
    { name: 'endpoint', label: t.endpoint },
    { name: 'min_duration', label: t.minDuration },
    { name: 'max_duration', label: t.maxDuration },
    { name: 'status_code', label: t.status },
    { name: 'is_error', label: t.outcome, options: [{ value: 'true', label: t.failed }, { value: 'false', label: t.succeeded }] },
    { name: 'method', label: t.method, options: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].map((value) => ({ value, label: value })) },
    { name: 'version', label: t.version },
    { name: 'service', label: t.service },
    { name: 'trace_id', label: t.trace },
    ...(project ? [{ name: 'function', label: t.function }] : []),
    // With a function the API lists the newest first.
    ...(project && !search.function ? [{ name: 'order', label: t.order, options: Object.entries(t.orders).map(([value, label]) => ({ value, label })) }] : []),
  ]
  return (
    <Page title={t.title} description={project ? t.description : t.descriptionOfAll}>
      <ResourceList
        path="/api/v1/performance_records"
        label={t.title}
        columns={columns}
        filters={filters}
        query={{ project_id: project ?? undefined, function_min_time: search.function_min_time ? Number(search.function_min_time) : undefined }}
        timeParameters={['from', 'to']}
        rowKey={(record) => record.id}
        rowLink={(record) => `/records/${record.id}`}
        refresh={REFRESH_MS}
        empty={
          <Empty title={t.empty} action={<Link to="/connect">{t.connect}</Link>}>
            {t.emptyHint}
          </Empty>
        }
      />
    </Page>
  )
}
