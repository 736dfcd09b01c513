import { Plus } from 'lucide-react'
import { useProjects } from '@/api/projects'
import { useCan, useSession } from '@/api/session'
import type { Schema } from '@/api/types'
import { useFormat } from '@/i18n/format'
import type { Column } from '@/list/DataTable'
import { ResourceList } from '@/list/ResourceList'
import { useSearchState } from '@/list/search'
import { Button } from '@/ui/Button'
import { Empty } from '@/ui/Feedback'
import { Page } from '@/ui/Page'
import { Time } from '@/ui/Time'
import { StatusBadge } from './badges'
import { useMessages } from './messages'
import { RunDialog } from './RunDialog'

type Analysis = Schema<'AnalysisView'>

const REFRESH_MS = 3_000

export default function AnalysesPage() {
  const t = useMessages()
  const f = useFormat()
  const can = useCan()
  const { projectId } = useSession()
  const { nameOf } = useProjects()
  const [search, setSearch] = useSearchState()
  const columns: Column<Analysis>[] = [
    { id: 'endpoint', header: t.endpoint, cell: (row) => row.endpoint, value: (row) => row.endpoint },
    { id: 'status', header: t.status, cell: (row) => <StatusBadge status={row.status} />, value: (row) => row.status },
    { id: 'project', header: t.project, isOptional: projectId !== null, cell: (row) => nameOf(row.project_id), value: (row) => nameOf(row.project_id) },
    { id: 'model', header: t.model, cell: (row) => [row.ai_service.provider, row.ai_service.model].filter(Boolean).join('/'), value: (row) => row.ai_service.model },
    { id: 'confidence', header: t.confidence, isNumeric: true, isOptional: true, cell: (row) => f.percent(row.analysis_metadata.confidence_score), value: (row) => row.analysis_metadata.confidence_score },
    { id: 'cost', header: t.cost, isNumeric: true, cell: (row) => f.money(row.analysis_metadata.cost), value: (row) => row.analysis_metadata.cost },
    { id: 'created', header: t.created, cell: (row) => <Time at={row.created_at} />, value: (row) => row.created_at },
    { id: 'type', header: t.type, isOptional: true, cell: (row) => t.types[row.analysis_type], value: (row) => row.analysis_type },
    { id: 'tokens', header: t.tokens, isNumeric: true, isOptional: true, cell: (row) => f.number(row.analysis_metadata.tokens_used), value: (row) => row.analysis_metadata.tokens_used },
    { id: 'version', header: t.version, isOptional: true, cell: (row) => row.version, value: (row) => row.version },
    { id: 'error', header: t.failure, isOptional: true, cell: (row) => row.error_message, value: (row) => row.error_message },
  ]
  const options = (texts: Record<string, string>) => Object.entries(texts).map(([value, label]) => ({ value, label }))
  const run = can('ai_analysis_results:write') && (
    <Button look="primary" icon={<Plus size={16} />} onClick={() => setSearch({ run: '1' })}>
      {t.run}
    </Button>
  )
  return (
    <Page title={t.title} description={t.description} actions={run}>
      <ResourceList
        path="/api/v1/ai_analysis_results"
        label={t.title}
        columns={columns}
        filters={[
          { name: 'status', label: t.status, options: options(t.statuses) },
          { name: 'analysis_type', label: t.type, options: options(t.types) },
          { name: 'endpoint', label: t.endpoint },
          ...(search.record_id ? [{ name: 'record_id', label: t.record }] : []),
        ]}
        query={{ project_id: projectId ?? undefined }}
        rowKey={(row) => row.id}
        rowLink={(row) => `/analyses/${row.id}`}
        refresh={REFRESH_MS}
        empty={<Empty title={t.empty} action={run}>{t.emptyHint}</Empty>}
      />
      {search.run && <RunDialog onClose={() => setSearch({ run: undefined })} />}
    </Page>
  )
}
