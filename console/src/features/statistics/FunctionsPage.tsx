import { useRead } from '@/api/hooks'
import type { Schema } from '@/api/types'
import { useFormat } from '@/i18n/format'
import { type Column, DataTable } from '@/list/DataTable'
import { csvOf, save } from '@/list/export'
import { useSearchState } from '@/list/search'
import { Button } from '@/ui/Button'
import { Dialog } from '@/ui/Dialog'
import { Loaded } from '@/ui/Feedback'
import { Page } from '@/ui/Page'
import { NoRequests } from './EndpointsPage'
import { useMessages } from './messages'
import { Slowest } from './Slowest'
import styles from './statistics.module.css'
import { Toolbar, useStatisticsQuery } from './Toolbar'
import { Trend } from './Trend'

type Row = Schema<'Sums_FunctionStats'>['data'][number]

const ROWS = 200
const REFRESH_MS = 30_000

export default function FunctionsPage() {
  const t = useMessages()
  const f = useFormat()
  const [search, setSearch] = useSearchState()
  const { query, isReady, isLoading } = useStatisticsQuery()
  const stats = useRead('/api/v1/function_stats', { query: { ...query, order: (search.order as Schema<'FunctionOrder'>) ?? 'self', limit: ROWS } }, { enabled: isReady, refresh: REFRESH_MS })
  const whole = stats.data?.data.reduce((sum, row) => sum + row.self_time, 0) ?? 0
  const seconds = (value: number | null) => f.duration(value === null ? null : value * 1000)
  const columns: Column<Row>[] = [
    {
      id: 'function',
      header: t.function,
      cell: (row) => (
        <Button look="plain" className={styles.open} onClick={() => setSearch({ function: row.function }, { push: true })}>
          <code>{row.function}</code>
        </Button>
      ),
      value: (row) => row.function,
    },
    { id: 'self', header: t.selfTime, isNumeric: true, cell: (row) => seconds(row.self_time), value: (row) => row.self_time },
    { id: 'share', header: t.share, isNumeric: true, cell: (row) => f.percent(whole > 0 ? row.self_time / whole : null) },
    { id: 'total', header: t.total, isNumeric: true, cell: (row) => seconds(row.total_time), value: (row) => row.total_time },
    { id: 'calls', header: t.calls, isNumeric: true, cell: (row) => f.number(row.calls), value: (row) => row.calls },
    { id: 'errors', header: t.errorRate, isNumeric: true, cell: (row) => f.percent(row.error_rate), value: (row) => row.error_rate },
    { id: 'mean', header: t.mean, isNumeric: true, cell: (row) => seconds(row.avg_self_time), value: (row) => row.avg_self_time },
    { id: 'p50', header: 'p50', isNumeric: true, cell: (row) => seconds(row.p50), value: (row) => row.p50 },
    { id: 'p95', header: 'p95', isNumeric: true, cell: (row) => seconds(row.p95), value: (row) => row.p95 },
    { id: 'p99', header: 'p99', isNumeric: true, cell: (row) => seconds(row.p99), value: (row) => row.p99 },
    { id: 'queries', header: t.queries, isNumeric: true, cell: (row) => f.number(row.query_count), value: (row) => row.query_count },
  ]
  return (
    <Page title={t.functions} description={t.functionsHelp}>
      <Toolbar orders={t.functionOrders} onExport={stats.data && (() => save(csvOf(columns, stats.data?.data ?? []), `${t.functions}.csv`, 'text/csv'))} />
      {!isReady && !isLoading ? <NoRequests /> : (
        <Loaded query={stats} lines={8}>
          {({ data }) => (data.length === 0 ? <NoRequests /> : <DataTable label={t.functions} columns={columns} rows={data} rowKey={(row) => row.function ?? ''} />)}
        </Loaded>
      )}
      <Dialog title={search.function ?? ''} isOpen={isReady && Boolean(search.function)} onClose={() => setSearch({ function: undefined })} size="wide">
        {isReady && search.function && <FunctionDetail name={search.function} query={query} />}
      </Dialog>
    </Page>
  )
}

function FunctionDetail({ name, query }: { name: string; query: ReturnType<typeof useStatisticsQuery>['query'] }) {
  const t = useMessages()
  const trend = useRead('/api/v1/function_stats/trend', { query: { ...query, function: name } })
  return (
    <div className={styles.detail}>
      <Loaded query={trend}>{(data) => <Trend data={data} count={(point) => point.calls} names={{ durations: t.selfTimes, counts: t.callCounts, counted: t.calls }} />}</Loaded>
      <Slowest title={t.slowestWith} query={{ ...query, function: name }} all={t.allOfFunction} />
    </div>
  )
}
