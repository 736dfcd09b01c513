import { useMemo } from 'react'
import type { Schema } from '@/api/types'
import { useFormat } from '@/i18n/format'
import { useSearchState } from '@/list/search'
import { Chart } from '@/ui/Chart'
import { Grid } from '@/ui/Page'
import { useMessages } from './messages'
import { bucketsOf } from './points'

interface Point {
  time?: string | null
  errors: number
  p50: number | null
  p95: number | null
  p99: number | null
}

interface TrendProps<P extends Point> {
  data: { data: P[]; from: string; to: string; granularity: Schema<'StatGranularity'> }
  /** How many requests or calls a point counts. */
  count: (point: P) => number
  /** The names of both charts and of what is counted. */
  names: { durations: string; counts: string; counted: string }
  /** Whether dragging over a chart changes the page's time range. */
  isZoomable?: boolean
}

/** Quantiles and counts over time. */
export function Trend<P extends Point>({ data, count, names, isZoomable }: TrendProps<P>) {
  const t = useMessages()
  const f = useFormat()
  const [, setSearch] = useSearchState()
  const { times, durations, counts } = useMemo(() => {
    const { times, points } = bucketsOf(data.data, data)
    const values = (of: (point: P) => number | null, empty: number | null) => points.map((point) => (point ? of(point) : empty))
    return {
      times,
      durations: (['p50', 'p95', 'p99'] as const).map((name) => ({ name, values: values((point) => point[name], null) })),
      counts: [
        { name: names.counted, values: values(count, 0) },
        { name: t.errors, values: values((point) => point.errors, 0) },
      ],
    }
  }, [data, names.counted, t.errors])
  const onZoom = isZoomable ? (from: Date, to: Date) => setSearch({ range: undefined, from: from.toISOString(), to: to.toISOString() }) : undefined
  return (
    <Grid min="26rem">
      <div>
        <h3>{names.durations}</h3>
        <Chart label={names.durations} times={times} series={durations} format={(value) => f.duration(value === null ? null : value * 1000)} height={180} spansGaps onZoom={onZoom} />
      </div>
      <div>
        <h3>{names.counts}</h3>
        <Chart label={names.counts} times={times} series={counts} format={f.number} height={180} onZoom={onZoom} />
      </div>
    </Grid>
  )
}
