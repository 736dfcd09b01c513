import { useMemo } from 'react'
import { useRead } from '@/api/hooks'
import { useCan } from '@/api/session'
import { Chart } from '@/ui/Chart'
import { Loaded } from '@/ui/Feedback'
import styles from './alerts.module.css'
import { chartPoints, costPoints, type Points, requestPoints, type Span, within } from './chart'
import { useMessages } from './messages'
import { type Definition, linesOfTags } from './metric'
import { useTexts } from './texts'

const DAY = 24 * 60 * 60 * 1000
/** The sums of minutes are stored for two weeks. */
const MINUTES_STORED = 13 * DAY
const AGGREGATE = { mean: 'avg', sum: 'sum', min: 'min', max: 'max', last: 'last', p95: 'p95' } as const

interface ValueChartProps {
  projectId: string
  rule: Definition
  span: Span
}

/** The values of a rule's metric and its threshold, from the statistics of that metric. */
export function ValueChart({ projectId, rule, span }: ValueChartProps) {
  const t = useMessages()
  const can = useCan()
  const { metric, selector } = rule
  const from = new Date(span.from).toISOString()
  const to = new Date(span.to).toISOString()
  const granularity = span.to - span.from <= DAY ? 'minute' : 'hour'
  const hasMinutes = granularity === 'minute' && span.from > Date.now() - MINUTES_STORED
  const kind = metric === 'cost' ? 'cost' : metric === 'performance_metric' ? 'metric' : 'requests'
  const isAllowed = can(kind === 'cost' ? 'usage:read' : kind === 'metric' ? 'performance_metrics:read' : 'performance_records:read')

  const requests = useRead(
    '/api/v1/endpoint_stats/trend',
    { query: { project_id: projectId, from, to, granularity: hasMinutes ? 'minute' : undefined, endpoint: selector.endpoint, version: selector.version } },
    { enabled: isAllowed && kind === 'requests' },
  )
  const usage = useRead(
    '/api/v1/usage',
    { query: { project_id: projectId, from, to, granularity, group_by: 'time', provider: selector.provider, model: selector.model } },
    { enabled: isAllowed && kind === 'cost' },
  )
  const values = useRead(
    '/api/v1/metric_stats',
    {
      query: {
        project_id: projectId,
        metric_name: selector.metric_name ?? '',
        from,
        to,
        granularity,
        aggregate: AGGREGATE[selector.aggregate ?? 'mean'],
        tags: linesOfTags(selector.tags).join(',') || undefined,
      },
    },
    { enabled: isAllowed && kind === 'metric' },
  )

  if (!isAllowed) return <p>{t.chartDenied}</p>
  const step = kind === 'requests' ? (requests.data?.granularity ?? 'minute') : granularity
  return (
    <>
      {kind === 'requests' && <Loaded query={requests}>{(data) => <Lines rule={rule} span={span} data={data} points={() => requestPoints(metric, data)} />}</Loaded>}
      {kind === 'cost' && <Loaded query={usage}>{(data) => <Lines rule={rule} span={span} data={data} points={() => costPoints(data, span, granularity)} />}</Loaded>}
      {kind === 'metric' && <Loaded query={values}>{(data) => <Lines rule={rule} span={span} data={data} points={() => chartPoints(data)} />}</Loaded>}
      <p className={styles.note}>{t.chartHelp(t.steps[step])}</p>
    </>
  )
}

interface LinesProps {
  rule: Definition
  span: Span
  /** What the points are made of. */
  data: unknown
  points: () => Points
}

function Lines({ rule, span, data, points }: LinesProps) {
  const t = useMessages()
  const texts = useTexts()
  const drawn = useMemo(() => within(points(), span), [data])
  const name = texts.what(rule)
  const threshold = `${t.threshold} (${texts.value(rule.metric, rule.threshold)})`
  const series = useMemo(
    () => [
      { name, values: drawn.values },
      { name: threshold, values: drawn.times.map(() => rule.threshold) },
    ],
    [drawn, name, threshold],
  )
  return <Chart label={name} times={drawn.times} series={series} format={(value) => texts.value(rule.metric, value)} />
}
