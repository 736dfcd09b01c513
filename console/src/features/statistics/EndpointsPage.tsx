import { Link } from '@tanstack/react-router'
import { useRead } from '@/api/hooks'
import type { Schema } from '@/api/types'
import { useFormat } from '@/i18n/format'
import { type Column, DataTable } from '@/list/DataTable'
import { csvOf, save } from '@/list/export'
import { useSearchState } from '@/list/search'
import { Button } from '@/ui/Button'
import { Dialog } from '@/ui/Dialog'
import { Empty, ErrorMessage, Loaded } from '@/ui/Feedback'
import { Card, Page } from '@/ui/Page'
import { useMessages } from './messages'
import { Slowest } from './Slowest'
import styles from './statistics.module.css'
import { Toolbar, useStatisticsQuery } from './Toolbar'
import { Trend } from './Trend'

type Row = Schema<'Sums_EndpointStats'>['data'][number]

const queriesEach = (row: Row) => (row.requests > 0 ? row.database_metrics.query_count / row.requests : null)

const ROWS = 200
const REFRESH_MS = 30_000

export default function EndpointsPage() {
  const t = useMessages()
  const f = useFormat()
  const [search, setSearch] = useSearchState()
  const { query, isReady, isLoading } = useStatisticsQuery()
  const stats = useRead('/api/v1/endpoint_stats', { query: { ...query, order: (search.order as Schema<'EndpointOrder'>) ?? 'total', limit: ROWS } }, { enabled: isReady, refresh: REFRESH_MS })
  const trend = useRead('/api/v1/endpoint_stats/trend', { query }, { enabled: isReady, refresh: REFRESH_MS })
  const whole = stats.data?.data.reduce((sum, row) => sum + row.total_duration, 0) ?? 0
  const seconds = (value: number | null) => f.duration(value === null ? null : value * 1000)
  const columns: Column<Row>[] = [
    {
      id: 'endpoint',
      header: t.endpoint,
      cell: (row) => (
        <Button look="plain" className={styles.open} onClick={() => setSearch({ endpoint: row.endpoint }, { push: true })}>
          {row.endpoint}
        </Button>
      ),
      value: (row) => row.endpoint,
    },
    { id: 'total', header: t.total, isNumeric: true, cell: (row) => seconds(row.total_duration), value: (row) => row.total_duration },
    { id: 'share', header: t.share, isNumeric: true, cell: (row) => f.percent(whole > 0 ? row.total_duration / whole : null) },
    { id: 'requests', header: t.requests, isNumeric: true, cell: (row) => f.number(row.requests), value: (row) => row.requests },
    { id: 'errors', header: t.errorRate, isNumeric: true, cell: (row) => f.percent(row.error_rate), value: (row) => row.error_rate },
    { id: 'mean', header: t.mean, isNumeric: true, cell: (row) => seconds(row.avg_duration), value: (row) => row.avg_duration },
    { id: 'p50', header: 'p50', isNumeric: true, cell: (row) => seconds(row.p50), value: (row) => row.p50 },
    { id: 'p95', header: 'p95', isNumeric: true, cell: (row) => seconds(row.p95), value: (row) => row.p95 },
    { id: 'p99', header: 'p99', isNumeric: true, cell: (row) => seconds(row.p99), value: (row) => row.p99 },
    { id: 'queries', header: t.queriesEach, isNumeric: true, cell: (row) => f.number(queriesEach(row)), value: queriesEach },
    { id: 'hitRate', header: t.hitRate, isNumeric: true, cell: (row) => f.percent(row.cache_hit_rate), value: (row) => row.cache_hit_rate },
  ]
  return (
    <Page title={t.endpoints} description={t.endpointsHelp}>
      <Toolbar orders={t.endpointOrders} onExport={stats.data && (() => save(csvOf(columns, stats.data?.data ?? []), `${t.endpoints}.csv`, 'text/csv'))} />
      {trend.error && <ErrorMessage error={trend.error} onRetry={() => void trend.refetch()} />}
      {trend.data && trend.data.data.length > 0 && (
        <Card title={t.allRequests}>
          <Trend data={trend.data} count={(point) => point.requests} names={{ durations: t.durations, counts: t.counts, counted: t.requests }} isZoomable />
        </Card>
      )}
      {!isReady && !isLoading ? <NoRequests /> : (
        <Loaded query={stats} lines={8}>
          {({ data }) => (data.length === 0 ? <NoRequests /> : <DataTable label={t.endpoints} columns={columns} rows={data} rowKey={(row) => row.endpoint ?? ''} />)}
        </Loaded>
      )}
      <Dialog title={search.endpoint ?? ''} isOpen={isReady && Boolean(search.endpoint)} onClose={() => setSearch({ endpoint: undefined })} size="wide">
        {isReady && search.endpoint && <Endpoint endpoint={search.endpoint} query={query} />}
      </Dialog>
    </Page>
  )
}

/** What to do where there are no statistics. */
export function NoRequests() {
  const t = useMessages()
  return (
    <Empty title={t.empty} action={<Link to="/connect">{t.connect}</Link>}>
      {t.emptyHint}
    </Empty>
  )
}

function Endpoint({ endpoint, query }: { endpoint: string; query: ReturnType<typeof useStatisticsQuery>['query'] }) {
  const t = useMessages()
  const trend = useRead('/api/v1/endpoint_stats/trend', { query: { ...query, endpoint } })
  return (
    <div className={styles.detail}>
      <Loaded query={trend}>{(data) => <Trend data={data} count={(point) => point.requests} names={{ durations: t.durations, counts: t.counts, counted: t.requests }} />}</Loaded>
      <Slowest title={t.slowest} query={{ ...query, endpoint }} all={t.allOfEndpoint} />
    </div>
  )
}
