import { useMemo } from 'react'
import { useRead } from '@/api/hooks'
import type { Schema } from '@/api/types'
import { useFormat } from '@/i18n/format'
import { ProjectFilter, useProject } from '@/list/ProjectFilter'
import { ResourceList } from '@/list/ResourceList'
import { useSearchState } from '@/list/search'
import { useTimeRange } from '@/list/time'
import { TimeRangePicker } from '@/list/TimeRangePicker'
import { Chart } from '@/ui/Chart'
import { Empty, Loaded } from '@/ui/Feedback'
import { Card, Page } from '@/ui/Page'
import { DateTime } from '@/ui/Time'
import { alignLines, bucketsFor, distinct, nameOf } from './lines'
import { useMessages } from './messages'
import styles from './metrics.module.css'

type Point = Schema<'PerformanceMetricView'>

const NEWEST = 200
const REFRESH_MS = 15_000
/** More lines can't be told apart. */
const MAX_LINES = 16

export default function MetricsPage() {
  const t = useMessages()
  const { projectId, isLoading } = useProject()
  const [search] = useSearchState()
  const known = useRead('/api/v1/metric_names', { query: { project_id: projectId ?? '' } }, { enabled: projectId !== null })
  const names = distinct([...(known.data?.data.map((metric) => metric.metric_name) ?? []), ...(search.metric_name ? [search.metric_name] : [])])
  const name = search.metric_name ?? names[0]
  return (
    <Page title={t.title} description={t.description}>
      <div className={styles.toolbar}>
        <ProjectFilter />
      </div>
      {!projectId && !isLoading && <NoMetrics />}
      {projectId && <Loaded query={known} lines={8}>{() => (name ? <Metric projectId={projectId} name={name} names={names} /> : <NoMetrics />)}</Loaded>}
    </Page>
  )
}

function NoMetrics() {
  const t = useMessages()
  return (
    <Empty
      title={t.empty}
      command={`curl ${location.origin}/api/v1/performance_metrics -H "Authorization: Bearer \$INGEST_KEY" -H "Content-Type: application/json" \\\n  -d '{"metrics": [{"metric_name": "queue.length", "metric_value": 17, "tags": {"queue": "mail"}}]}'`}
    >
      {t.emptyHint}
    </Empty>
  )
}

/** A value in the unit of its metric (UCUM, as OpenTelemetry writes them). */
function useValueFormat(unit: string | null | undefined): (value: number | null) => string {
  const f = useFormat()
  if (unit === 's') return (value) => f.duration(value === null ? null : value * 1000)
  if (unit === 'ms') return f.duration
  if (unit === 'By') return f.bytes
  return (value) => (unit && !/^(1|\{.*\})$/.test(unit) ? `${f.number(value)} ${unit}` : f.number(value))
}

function Metric({ projectId, name, names }: { projectId: string; name: string; names: string[] }) {
  const t = useMessages()
  const f = useFormat()
  const [search, setSearch] = useSearchState()
  const range = useTimeRange('24h')
  const from = range.from?.toISOString()
  const to = range.to?.toISOString()
  const points = useRead('/api/v1/performance_metrics', { query: { project_id: projectId, metric_name: name, limit: NEWEST } })
  const tagNames = distinct(points.data?.data.flatMap((point) => Object.keys(point.tags)) ?? [])
  const aggregate = (search.aggregate as Schema<'MetricAggregate'>) ?? 'avg'
  const query = { project_id: projectId, metric_name: name, aggregate, group_by: search.group_by, tags: search.tags, ...bucketsFor(range) }
  const stats = useRead('/api/v1/metric_stats', { query }, { refresh: REFRESH_MS })
  const unit = points.data?.data[0]?.unit
  const value = useValueFormat(unit)
  const format = aggregate === 'count' ? f.number : value
  const aligned = useMemo(() => alignLines(stats.data?.data.slice(0, MAX_LINES) ?? [], t.all), [stats.data, t.all])
  const groups = search.group_by?.split(',') ?? []
  const toggle = (tag: string) => setSearch({ group_by: (groups.includes(tag) ? groups.filter((each) => each !== tag) : [...groups, tag]).join(',') || undefined })
  return (
    <>
      <Card title={name}>
        <div className={styles.toolbar}>
          <label className={styles.field}>
            {t.metric}
            <input
              key={name}
              className={styles.select}
              list="metric-names"
              defaultValue={name}
              onChange={(event) => names.includes(event.target.value) && setSearch({ metric_name: event.target.value, group_by: undefined, tags: undefined, cursor: undefined })}
              onKeyDown={(event) => event.key === 'Enter' && setSearch({ metric_name: event.currentTarget.value, group_by: undefined, tags: undefined, cursor: undefined })}
            />
            <datalist id="metric-names">
              {names.map((each) => (
                <option key={each} value={each} />
              ))}
            </datalist>
          </label>
          <label className={styles.field}>
            {t.aggregate}
            <select className={styles.select} value={aggregate} onChange={(event) => setSearch({ aggregate: event.target.value })}>
              {Object.entries(t.aggregates).map(([each, label]) => (
                <option key={each} value={each}>
                  {label}
                </option>
              ))}
            </select>
          </label>
          {tagNames.length > 0 && (
            <fieldset className={styles.groups}>
              <legend>{t.groupBy}</legend>
              {tagNames.slice(0, 12).map((tag) => (
                <label key={tag}>
                  <input type="checkbox" checked={groups.includes(tag)} disabled={groups.length >= 5 && !groups.includes(tag)} onChange={() => toggle(tag)} /> {tag}
                </label>
              ))}
            </fieldset>
          )}
          <TimeRangePicker fallback="24h" />
        </div>
        <Loaded query={stats} lines={6}>
          {({ data }) => (
            <>
              <Chart label={name} times={aligned.times} series={aligned.series} format={format} height={260} spansGaps onZoom={(start, end) => setSearch({ range: undefined, from: start.toISOString(), to: end.toISOString(), cursor: undefined })} />
              {data.length > MAX_LINES && <p>{t.manyLines(MAX_LINES, data.length)}</p>}
            </>
          )}
        </Loaded>
      </Card>
      <Card title={t.points}>
        <ResourceList
          path="/api/v1/performance_metrics"
          label={`${t.points} ${name}`}
          query={{ project_id: projectId, metric_name: name, from, to }}
          filters={[{ name: 'tags', label: t.tagFilter }]}
          rowKey={(point: Point) => point.id}
          columns={[
            { id: 'time', header: t.time, cell: (point) => <DateTime at={point.timestamp} />, value: (point) => point.timestamp },
            { id: 'value', header: t.value, isNumeric: true, cell: (point) => value(point.metric_value), value: (point) => point.metric_value },
            { id: 'tags', header: t.tags, cell: (point) => nameOf(point.tags), value: (point) => nameOf(point.tags) },
            { id: 'kind', header: t.kind, cell: (point) => t.kinds[point.kind], value: (point) => point.kind },
            { id: 'received', header: t.received, isOptional: true, cell: (point) => <DateTime at={point.created_at} />, value: (point) => point.created_at },
          ]}
        />
      </Card>
    </>
  )
}
