import { Link } from '@tanstack/react-router'
import type { Schema } from '@/api/types'
import { useFormat } from '@/i18n/format'
import { Id } from '@/ui/Code'
import { Card, Facts as FactList, Figure, Grid } from '@/ui/Page'
import { DateTime } from '@/ui/Time'
import { useMessages } from './messages'
import { Score, Status } from './Status'

/** The measurements of a request. */
export function Figures({ record }: { record: Schema<'PerformanceRecordView'> }) {
  const t = useMessages()
  const f = useFormat()
  const { performance_metrics: measured } = record
  const { database_metrics: database, cache_metrics: cache, memory_usage: memory } = measured
  const seconds = (value: number | null) => f.duration(value === null ? null : value * 1000)
  const accesses = cache.cache_hits + cache.cache_misses
  return (
    <Card>
      <Grid min="10rem">
        <Figure name={t.duration} value={seconds(measured.total_duration)} note={<Status record={record} />} />
        <Figure name={t.score} value={<Score score={record.score} />} />
        <Figure name={t.calls} value={f.number(record.call_count)} note={record.is_cut && t.isCut} />
        <Figure name={t.queries} value={f.number(database.query_count)} note={`${seconds(database.query_time)}${database.slow_queries > 0 ? ` · ${t.slowQueries(f.number(database.slow_queries))}` : ''}`} />
        {accesses > 0 && <Figure name={t.cacheHits} value={f.percent(cache.cache_hits / accesses)} note={`${f.number(cache.cache_hits)} / ${f.number(accesses)} · ${seconds(cache.cache_time)}`} />}
        {measured.cpu_time !== null && <Figure name={t.cpuTime} value={seconds(measured.cpu_time)} />}
        {memory.peak_bytes !== null && <Figure name={t.peakMemory} value={f.bytes(memory.peak_bytes)} note={memory.delta_bytes !== null && t.gained(f.bytes(memory.delta_bytes))} />}
      </Grid>
    </Card>
  )
}

/** What was asked, by whom, and where it was served. */
export function Details({ record }: { record: Schema<'PerformanceRecordView'> }) {
  const t = useMessages()
  const f = useFormat()
  const { request_info: request, response_info: response, version_info: version, environment } = record
  return (
    <Card title={t.record}>
      <FactList
        facts={[
          [t.time, <DateTime at={record.timestamp} />],
          [t.request, <code>{[request.method, request.path].filter(Boolean).join(' ')}</code>],
          [t.version, version.app_version],
          [t.commit, version.git_commit && <code>{version.git_commit}</code>],
          [t.deployed, version.deploy_time && <DateTime at={version.deploy_time} />],
          [t.service, record.service],
          [t.runtime, environment.python_version && `Python ${environment.python_version}`],
          [t.framework, environment.framework_version],
          [t.server, environment.server_info],
          [t.client, [request.remote_ip, request.user_agent].filter(Boolean).join(' · ')],
          [t.responseSize, response.response_size !== null && f.bytes(response.response_size)],
          [t.source, t.sources[record.source as keyof typeof t.sources] ?? record.source],
          [t.trace, <Id id={record.trace_id} />],
          [
            t.related,
            <>
              <Link to="/records" search={{ trace_id: record.trace_id } as never}>{t.relatedRecords}</Link> · <Link to="/calls" search={{ trace_id: record.trace_id } as never}>{t.relatedCalls}</Link> ·{' '}
              <Link to="/error-log" search={{ trace_id: record.trace_id } as never}>{t.relatedErrors}</Link>
            </>,
          ],
          ...Object.entries(request.query_params).map(([name, value]) => [`${t.parameter} ${name}`, <code>{String(value)}</code>] as [string, React.ReactNode]),
          ...Object.entries(request.headers).map(([name, value]) => [`${t.header} ${name}`, <code>{String(value)}</code>] as [string, React.ReactNode]),
        ]}
      />
    </Card>
  )
}
