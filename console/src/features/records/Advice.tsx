import { Link } from '@tanstack/react-router'
import { Sparkles } from 'lucide-react'
import { useChange, useRead } from '@/api/hooks'
import { useCan } from '@/api/session'
import type { Schema } from '@/api/types'
import { NONE, useFormat } from '@/i18n/format'
import { DataTable } from '@/list/DataTable'
import { Badge } from '@/ui/Badge'
import { Button } from '@/ui/Button'
import { ErrorMessage } from '@/ui/Feedback'
import { Card } from '@/ui/Page'
import { Time } from '@/ui/Time'
import { useMessages } from './messages'
import { Prose } from './Prose'

/** Suggestions for the endpoint with their gains, and what models said about this request. */
export function Advice({ record }: { record: Schema<'PerformanceRecordView'> }) {
  const can = useCan()
  return (
    <>
      {can('suggestions:read') && <Suggestions record={record} />}
      {can('ai_analysis_results:read') && <Analyses record={record} />}
    </>
  )
}

function Suggestions({ record }: { record: Schema<'PerformanceRecordView'> }) {
  const t = useMessages()
  const f = useFormat()
  const read = useRead('/api/v1/suggestions', { query: { project_id: record.project_id, endpoint: record.endpoint } })
  if (!read.data || read.data.data.length === 0) return null
  return (
    <Card title={t.suggestions} actions={<Link to="/suggestions" search={{ endpoint: record.endpoint, project_id: record.project_id } as never}>{t.details}</Link>}>
      <DataTable
        label={t.suggestions}
        rows={read.data.data}
        rowKey={(row) => row.id}
        columns={[
          { id: 'title', header: t.suggestion, cell: (row) => <><Prose text={row.title} /> {row.record_id === record.id && <Badge tone="info">{t.fromThis}</Badge>}</> },
          { id: 'version', header: t.version, cell: (row) => row.version },
          { id: 'state', header: t.state, cell: (row) => <Badge>{t.states[row.status]}</Badge> },
          { id: 'predicted', header: t.predicted, isNumeric: true, cell: (row) => f.percent(row.predicted_gain) },
          { id: 'measured', header: t.measured, isNumeric: true, cell: (row) => (row.measured_gain === null ? t.notMeasured : `${f.percent(row.measured_gain)} ${t.measuredIn(row.measured_version ?? NONE)}`) },
        ]}
      />
    </Card>
  )
}

const REFRESH_MS = 2_000

function Analyses({ record }: { record: Schema<'PerformanceRecordView'> }) {
  const t = useMessages()
  const f = useFormat()
  const can = useCan()
  const read = useRead('/api/v1/ai_analysis_results', { query: { record_id: record.id } }, { refresh: (page) => Boolean(page?.data.some((each) => each.status === 'pending')) && REFRESH_MS })
  const create = useChange('post', '/api/v1/ai_analysis_results', ['/api/v1/ai_analysis_results'])
  const action = can('ai_analysis_results:write') && (
    <Button icon={<Sparkles size={16} />} isBusy={create.isPending} onClick={() => create.mutate({ body: { record_id: record.id } as never })}>
      {t.analyse}
    </Button>
  )
  return (
    <Card title={t.analyses} actions={action}>
      {create.error && <ErrorMessage error={create.error} />}
      {read.error && <ErrorMessage error={read.error} />}
      {read.data?.data.length === 0 && <p>{t.noAnalyses}</p>}
      {read.data && read.data.data.length > 0 && (
        <DataTable
          label={t.analyses}
          rows={read.data.data}
          rowKey={(row) => row.id}
          rowLink={(row) => `/analyses/${row.id}`}
          columns={[
            { id: 'time', header: t.time, cell: (row) => <Time at={row.created_at} /> },
            { id: 'state', header: t.state, cell: (row) => <Badge tone={row.status === 'failed' ? 'danger' : row.status === 'completed' ? 'success' : 'info'}>{t.analysisStates[row.status]}</Badge> },
            { id: 'model', header: t.model, cell: (row) => row.ai_service.model },
            { id: 'cost', header: t.cost, isNumeric: true, cell: (row) => f.money(row.analysis_metadata.cost) },
          ]}
        />
      )}
    </Card>
  )
}
