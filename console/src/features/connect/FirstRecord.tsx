import { Link } from '@tanstack/react-router'
import { CircleCheck, LoaderCircle } from 'lucide-react'
import { useState } from 'react'
import { useRead } from '@/api/hooks'
import { useCan } from '@/api/session'
import type { Schema } from '@/api/types'
import { useFormat } from '@/i18n/format'
import { DataTable } from '@/list/DataTable'
import { Loaded } from '@/ui/Feedback'
import { Time } from '@/ui/Time'
import styles from './connect.module.css'
import { useMessages } from './messages'

const REFRESH_MS = 2_000
const SHOWN = 5

/** Waits for the first record of a project, and shows the latest ones. */
export function FirstRecord({ project }: { project: Schema<'ProjectView'> }) {
  const t = useMessages()
  const f = useFormat()
  const can = useCan()
  const [since] = useState(() => Date.now())
  const records = useRead('/api/v1/performance_records', { query: { project_id: project.id, limit: SHOWN } }, { refresh: REFRESH_MS, enabled: can('performance_records:read') })
  const rejected = useRead('/api/v1/rejected_records', { query: { project_id: project.id, limit: 1 } }, { refresh: REFRESH_MS, enabled: can('rejected_records:read') })
  const refused = rejected.data?.data.find((record) => new Date(record.created_at).getTime() > since)
  if (!can('performance_records:read')) return <p>{t.mayNotRead}</p>
  return (
    <>
      <Loaded query={records} lines={2}>
        {({ data }) => (
          <>
            <p role="status" className={styles.state}>
              {data.length > 0 ? <CircleCheck size={18} className={styles.arrived} aria-hidden /> : <LoaderCircle size={18} className={styles.waiting} aria-hidden />}
              {data.length > 0 ? t.arrived : t.waiting}
            </p>
            {data.length === 0 ? (
              <p className={styles.note}>{t.waitingHelp}</p>
            ) : (
              <>
                <DataTable
                  label={t.latest}
                  rows={data}
                  rowKey={(record) => record.id}
                  rowLink={(record) => `/records/${record.id}`}
                  columns={[
                    { id: 'endpoint', header: t.endpoint, cell: (record) => record.endpoint },
                    { id: 'duration', header: t.duration, isNumeric: true, cell: (record) => f.duration(record.performance_metrics.total_duration * 1000) },
                    { id: 'status', header: t.status, cell: (record) => record.response_info.status_code ?? '' },
                    { id: 'version', header: t.version, cell: (record) => record.version_info.app_version ?? '' },
                    { id: 'time', header: t.time, cell: (record) => <Time at={record.timestamp} /> },
                  ]}
                />
                <Link to="/records" search={{ project_id: project.id } as never}>
                  {t.allRecords}
                </Link>
              </>
            )}
          </>
        )}
      </Loaded>
      {refused && (
        <p role="alert">
          {t.rejected} <code>{refused.code}</code> {refused.message}{' '}
          <Link to="/rejected-records" search={{ project_id: project.id } as never}>
            {t.rejectedLink}
          </Link>
        </p>
      )}
    </>
  )
}
