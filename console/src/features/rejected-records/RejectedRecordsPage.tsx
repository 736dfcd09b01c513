import { useSession } from '@/api/session'
import type { Schema } from '@/api/types'
import type { Column } from '@/list/DataTable'
import type { Filter } from '@/list/FilterBar'
import { ProjectName } from '@/list/Names'
import { ResourceList } from '@/list/ResourceList'
import { Empty } from '@/ui/Feedback'
import { Page } from '@/ui/Page'
import { Time } from '@/ui/Time'
import { useMessages } from './messages'
import { StateBadge } from './StateBadge'

const REFRESH_MS = 10_000

export default function RejectedRecordsPage() {
  const t = useMessages()
  const { projectId } = useSession()
  const columns: Column<Schema<'RejectedRecordView'>>[] = [
    { id: 'time', header: t.time, cell: (row) => <Time at={row.created_at} />, value: (row) => row.created_at },
    { id: 'state', header: t.state, cell: (row) => <StateBadge state={row.state} />, value: (row) => row.state },
    { id: 'code', header: t.code, cell: (row) => t.codes[row.code] ?? row.code, value: (row) => row.code },
    { id: 'param', header: t.param, cell: (row) => row.param && <code>{row.param}</code>, value: (row) => row.param },
    { id: 'project', header: t.project, cell: (row) => <ProjectName id={row.project_id} />, value: (row) => row.project_id },
    { id: 'message', header: t.message, cell: (row) => <span title={row.message}>{row.message}</span>, value: (row) => row.message },
    { id: 'source', header: t.source, isOptional: true, cell: (row) => t.sources[row.source] ?? row.source, value: (row) => row.source },
  ]
  const options = (names: Record<string, string>) => Object.entries(names).map(([value, label]) => ({ value, label }))
  const filters: Filter[] = [
    { name: 'state', label: t.state, options: options(t.states) },
    { name: 'code', label: t.code, options: options(t.codes) },
    { name: 'source', label: t.source, options: options(t.sources) },
  ]
  return (
    <Page title={t.title} description={t.description}>
      <ResourceList
        path="/api/v1/rejected_records"
        label={t.title}
        columns={columns}
        filters={filters}
        query={{ project_id: projectId ?? undefined }}
        rowKey={(row) => row.id}
        rowLink={(row) => `/rejected-records/${row.id}`}
        refresh={REFRESH_MS}
        empty={<Empty title={t.empty}>{t.emptyHint}</Empty>}
      />
    </Page>
  )
}
