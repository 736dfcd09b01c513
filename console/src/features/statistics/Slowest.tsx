import { Link } from '@tanstack/react-router'
import { useRead } from '@/api/hooks'
import { useFormat } from '@/i18n/format'
import { DataTable } from '@/list/DataTable'
import { Loaded } from '@/ui/Feedback'
import { Time } from '@/ui/Time'
import { useMessages } from './messages'

interface SlowestProps {
  title: string
  /** Which requests. */
  query: { project_id: string; endpoint?: string; function?: string; version?: string; from?: string; to?: string }
  /** Name of the link to all of them. */
  all: string
}

const COUNT = 10
/** With a function, the API lists the newest requests only: the slowest of as many are shown. */
const NEWEST = 200

/** The slowest requests of an endpoint or with a function. */
export function Slowest({ title, query, all }: SlowestProps) {
  const t = useMessages()
  const f = useFormat()
  const read = useRead('/api/v1/performance_records', { query: query.function ? { ...query, limit: NEWEST } : { ...query, order: 'duration', limit: COUNT } })
  return (
    <section>
      <h3>{title}</h3>
      <Loaded query={read}>
        {({ data }) =>
          data.length === 0 ? (
            <p>{t.noSlowest}</p>
          ) : (
            <DataTable
              label={title}
              rows={[...data].sort((a, b) => b.performance_metrics.total_duration - a.performance_metrics.total_duration).slice(0, COUNT)}
              rowKey={(record) => record.id}
              rowLink={(record) => `/records/${record.id}`}
              columns={[
                { id: 'endpoint', header: t.endpoint, cell: (record) => record.endpoint },
                { id: 'time', header: t.time, cell: (record) => <Time at={record.timestamp} /> },
                { id: 'duration', header: t.duration, isNumeric: true, cell: (record) => f.duration(record.performance_metrics.total_duration * 1000) },
                { id: 'queries', header: t.queries, isNumeric: true, cell: (record) => f.number(record.performance_metrics.database_metrics.query_count) },
                { id: 'status', header: t.status, isNumeric: true, cell: (record) => record.response_info.status_code },
                { id: 'version', header: t.version, cell: (record) => record.version_info.app_version },
              ]}
            />
          )
        }
      </Loaded>
      <p>
        <Link to="/records" search={{ ...query } as never}>
          {all}
        </Link>
      </p>
    </section>
  )
}
