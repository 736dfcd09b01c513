import { Link } from '@tanstack/react-router'
import { useRead } from '@/api/hooks'
import { useCan, useSession } from '@/api/session'
import type { Schema } from '@/api/types'
import { useFormat } from '@/i18n/format'
import { useSearchState } from '@/list/search'
import { thisMinute, useTimeRange } from '@/list/time'
import { TimeRangePicker } from '@/list/TimeRangePicker'
import { ButtonLink } from '@/ui/ButtonLink'
import { Chart } from '@/ui/Chart'
import { Empty, Loaded } from '@/ui/Feedback'
import { Card, Figure, Grid, Page } from '@/ui/Page'
import { Breakdown } from './Breakdown'
import { Budgets } from './Budgets'
import { bucketTimes, changeOf, distinctUsers, granularityOf, rangeBefore, seriesOf } from './buckets'
import { Incidents } from './Incidents'
import { useMessages } from './messages'

const REFRESH_MS = 10_000
const DEFAULT_RANGE = '7d'

export default function OverviewPage() {
  const t = useMessages()
  const can = useCan()
  return (
    <Page title={t.overview} actions={can('usage:read') && <TimeRangePicker fallback={DEFAULT_RANGE} />}>
      {can('usage:read') && <Activity />}
      <Grid min="26rem">
        {can('limits:read') && <Budgets />}
        {can('alert_events:read') && <Incidents />}
      </Grid>
    </Page>
  )
}

/** What was called in the range: figures, charts and the largest groups. */
function Activity() {
  const t = useMessages()
  const { projectId } = useSession()
  const range = useTimeRange(DEFAULT_RANGE)
  const [, setSearch] = useSearchState()
  const from = range.from ?? new Date(0)
  const to = range.to ?? thisMinute()
  const before = rangeBefore(from, to)
  const common = { project_id: projectId ?? undefined }
  const bounds = { from: from.toISOString(), to: range.to?.toISOString() }
  const granularity = granularityOf(from, to)
  const total = useRead('/api/v1/usage', { query: { ...common, ...bounds, granularity } }, { refresh: REFRESH_MS })
  const earlier = useRead('/api/v1/usage', { query: { ...common, from: before.from.toISOString(), to: before.to.toISOString(), granularity } })
  const overTime = useRead('/api/v1/usage', { query: { ...common, ...bounds, granularity, group_by: 'time' } }, { refresh: REFRESH_MS })
  const byUser = useRead('/api/v1/usage', { query: { ...common, ...bounds, granularity, group_by: 'time,user' } })
  const zoom = (start: Date, end: Date) => setSearch({ range: undefined, from: start.toISOString(), to: end.toISOString() })
  return (
    <Loaded query={total} lines={6}>
      {(sums) => {
        const now = sums.data[0]
        if (!now && !range.preset) return <Empty title={t.welcome} />
        if (!now) return <Empty title={t.welcome} action={<ButtonLink to="/start">{t.openGuide}</ButtonLink>}>{t.welcomeHint}</Empty>
        const times = bucketTimes(from, to, granularity)
        return (
          <>
            <Figures now={now} before={earlier.data?.data[0]} />
            <Loaded query={overTime} lines={8}>
              {({ data: rows }) => <Charts times={times} rows={rows} users={byUser.data ? distinctUsers(times, byUser.data.data) : null} onZoom={zoom} />}
            </Loaded>
            <Breakdown from={bounds.from} to={bounds.to} granularity={granularity} />
          </>
        )
      }}
    </Loaded>
  )
}

function Figures({ now, before }: { now: Schema<'Usage'>; before: Schema<'Usage'> | undefined }) {
  const t = useMessages()
  const f = useFormat()
  const can = useCan()
  // Tokens were used, and none of them cost anything: most likely nobody has entered a price.
  const isFree = now.cost_usd === 0 && now.total_tokens > 0 && can('model_prices:read')
  const rate = (usage: Schema<'Usage'> | undefined) => (usage && usage.calls > 0 ? usage.errors / usage.calls : null)
  const note = (earlier: number | null | undefined, later: number | null | undefined) => {
    const change = changeOf(earlier, later)
    return change === null ? t.noComparison : t.versusBefore(`${change >= 0 ? '+' : ''}${f.percent(change)}`)
  }
  return (
    <Card>
      <Grid min="10rem">
        <Figure name={t.calls} value={f.number(now.calls)} note={note(before?.calls, now.calls)} />
        <Figure name={t.tokens} value={f.compact(now.total_tokens)} note={note(before?.total_tokens, now.total_tokens)} />
        <Figure name={t.cost} value={f.money(now.cost_usd)} note={isFree ? <>{t.withoutPrice} <Link to="/prices">{t.setPrices}</Link></> : note(before?.cost_usd, now.cost_usd)} />
        <Figure name={t.errorRate} value={f.percent(rate(now))} note={note(rate(before), rate(now))} />
        <Figure name={t.median} value={f.duration(now.latency_p50_ms)} note={note(before?.latency_p50_ms, now.latency_p50_ms)} />
        <Figure name={t.p95} value={f.duration(now.latency_p95_ms)} note={note(before?.latency_p95_ms, now.latency_p95_ms)} />
      </Grid>
    </Card>
  )
}

interface ChartsProps {
  times: number[]
  rows: Schema<'Usage'>[]
  users: number[] | null
  onZoom: (from: Date, to: Date) => void
}

function Charts({ times, rows, users, onZoom }: ChartsProps) {
  const t = useMessages()
  const f = useFormat()
  return (
    <Grid min="26rem">
      <Card title={t.calls}>
        <Chart label={t.calls} times={times} kind="bars" format={f.compact} onZoom={onZoom} series={[{ name: t.calls, values: seriesOf(times, rows, (row) => row.calls) }, { name: t.errors, values: seriesOf(times, rows, (row) => row.errors) }]} />
      </Card>
      <Card title={t.cost}>
        <Chart label={t.cost} times={times} kind="bars" format={f.money} onZoom={onZoom} series={[{ name: t.cost, values: seriesOf(times, rows, (row) => row.cost_usd) }]} />
      </Card>
      <Card title={t.latency}>
        <Chart
          label={t.latency}
          times={times}
          format={f.duration}
          onZoom={onZoom}
          series={[
            { name: t.median, values: seriesOf(times, rows, (row) => row.latency_p50_ms, null) },
            { name: t.p95, values: seriesOf(times, rows, (row) => row.latency_p95_ms, null) },
            { name: t.p99, values: seriesOf(times, rows, (row) => row.latency_p99_ms, null) },
          ]}
        />
      </Card>
      <Card title={t.tokens}>
        <Chart label={t.tokens} times={times} format={f.compact} onZoom={onZoom} series={[{ name: t.promptTokens, values: seriesOf(times, rows, (row) => row.prompt_tokens) }, { name: t.completionTokens, values: seriesOf(times, rows, (row) => row.completion_tokens) }]} />
      </Card>
      {users && (
        <Card title={t.activeUsers}>
          <Chart label={t.activeUsers} times={times} kind="bars" format={f.compact} onZoom={onZoom} series={[{ name: t.activeUsers, values: users }]} />
        </Card>
      )}
    </Grid>
  )
}
