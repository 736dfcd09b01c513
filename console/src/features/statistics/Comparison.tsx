import { Link } from '@tanstack/react-router'
import type { Schema } from '@/api/types'
import { useFormat } from '@/i18n/format'
import { DataTable } from '@/list/DataTable'
import { useSearchState } from '@/list/search'
import { Badge, type Tone } from '@/ui/Badge'
import { Card, Figure, Grid } from '@/ui/Page'
import { ChangeCell } from './ChangeCell'
import { useMessages } from './messages'
import { limitOf } from './points'
import styles from './statistics.module.css'

const TONES: Record<Schema<'Verdict'>, Tone> = { slower: 'danger', faster: 'success', no_evidence: 'neutral', too_little_traffic: 'warning' }

/** What changed between two versions, by endpoint and by function. */
export function Comparison({ comparison }: { comparison: Schema<'ComparisonView'> }) {
  const t = useMessages()
  const f = useFormat()
  const [search, setSearch] = useSearchState()
  const isEvident = search.evident === '1'
  const isShown = ({ verdict, is_regression }: { verdict: Schema<'Verdict'>; is_regression: boolean }) => !isEvident || is_regression || verdict === 'slower' || verdict === 'faster'
  const endpoints = comparison.endpoints.filter(isShown)
  const functions = comparison.functions.filter(isShown)
  const seconds = (value: number | null) => f.duration(value === null ? null : value * 1000)
  const limits = {
    mean: limitOf(endpoints.map(({ changes }) => changes.mean)),
    p95: limitOf(endpoints.map(({ changes }) => changes.p95)),
    errors: limitOf(endpoints.map(({ changes }) => changes.error_rate)),
    self: limitOf(functions.map(({ changes }) => changes.self_time)),
    selfP95: limitOf(functions.map(({ changes }) => changes.self_time_p95)),
    selfErrors: limitOf(functions.map(({ changes }) => changes.error_rate)),
  }
  return (
    <>
      <Card>
        <Grid min="10rem">
          {(Object.keys(TONES) as Schema<'Verdict'>[]).map((verdict) => (
            <Figure key={verdict} name={t.verdicts[verdict]} value={f.number(comparison.verdicts[verdict])} />
          ))}
        </Grid>
        <p className={styles.note}>{t.compared(f.dateTime(comparison.from), f.dateTime(comparison.to), f.percent(comparison.confidence), f.number(comparison.min_samples))}</p>
        <label>
          <input type="checkbox" checked={isEvident} onChange={(event) => setSearch({ evident: event.target.checked ? '1' : undefined })} /> {t.onlyEvident}
        </label>
      </Card>
      <Card title={t.endpoints}>
        {endpoints.length === 0 && <p>{t.nothingEvident}</p>}
        {endpoints.length > 0 && (
          <DataTable
            label={t.endpoints}
            rows={endpoints}
            rowKey={(row) => row.endpoint}
            columns={[
              { id: 'endpoint', header: t.endpoint, cell: (row) => <Link className={styles.name} to="/endpoints" search={{ endpoint: row.endpoint, version: comparison.version, project_id: comparison.project_id, range: '30d' } as never}>{row.endpoint}</Link> },
              { id: 'verdict', header: t.verdict, cell: (row) => <Verdict row={row} missing={[row.before.missing_requests, row.after.missing_requests]} samples={t.samples(f.number(row.before.requests), f.number(row.after.requests))} /> },
              { id: 'mean', header: t.mean, cell: ({ before, after, changes }) => <ChangeCell before={seconds(before.mean)} after={seconds(after.mean)} change={changes.mean} limit={limits.mean} /> },
              { id: 'p95', header: 'p95', cell: ({ before, after, changes }) => <ChangeCell before={seconds(before.p95)} after={seconds(after.p95)} change={changes.p95} limit={limits.p95} /> },
              { id: 'errors', header: t.errorRate, cell: ({ before, after, changes }) => <ChangeCell before={f.percent(before.error_rate)} after={f.percent(after.error_rate)} change={changes.error_rate} limit={limits.errors} isDifference /> },
              { id: 'queries', header: t.queriesEach, cell: ({ before, after, changes }) => <ChangeCell before={f.number(before.query_count)} after={f.number(after.query_count)} change={changes.query_count} limit={1} /> },
            ]}
          />
        )}
      </Card>
      {comparison.functions.length > 0 && (
        <Card title={t.functions}>
          {functions.length === 0 && <p>{t.nothingEvident}</p>}
          {functions.length > 0 && (
            <DataTable
              label={t.functions}
              rows={functions}
              rowKey={(row) => row.function}
              columns={[
                { id: 'function', header: t.function, cell: (row) => <Link className={styles.name} to="/functions" search={{ function: row.function, version: comparison.version, project_id: comparison.project_id, range: '30d' } as never}><code>{row.function}</code></Link> },
                { id: 'verdict', header: t.verdict, cell: (row) => <Verdict row={row} missing={[row.before.missing_calls, row.after.missing_calls]} samples={t.callSamples(f.number(row.before.calls), f.number(row.after.calls))} /> },
                { id: 'self', header: t.selfTime, cell: ({ before, after, changes }) => <ChangeCell before={seconds(before.self_time)} after={seconds(after.self_time)} change={changes.self_time} limit={limits.self} /> },
                { id: 'p95', header: t.selfP95, cell: ({ before, after, changes }) => <ChangeCell before={seconds(before.self_time_p95)} after={seconds(after.self_time_p95)} change={changes.self_time_p95} limit={limits.selfP95} /> },
                { id: 'errors', header: t.errorRate, cell: ({ before, after, changes }) => <ChangeCell before={f.percent(before.error_rate)} after={f.percent(after.error_rate)} change={changes.error_rate} limit={limits.selfErrors} isDifference /> },
              ]}
            />
          )}
        </Card>
      )}
    </>
  )
}

/** The verdict, and how much traffic is missing for one. */
function Verdict({ row, missing, samples }: { row: { verdict: Schema<'Verdict'>; is_regression: boolean }; missing: [before: number, after: number]; samples: string }) {
  const t = useMessages()
  const f = useFormat()
  return (
    <span className={styles.verdict}>
      <Badge tone={TONES[row.verdict]}>{t.verdicts[row.verdict]}</Badge>
      {row.is_regression && row.verdict !== 'slower' && <Badge tone="danger">{t.regression}</Badge>}
      <span className={styles.note}>{samples}</span>
      {row.verdict === 'too_little_traffic' && <span className={styles.note}>{t.missing(f.number(missing[0]), f.number(missing[1]))}</span>}
    </span>
  )
}
