import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { useRead } from '@/api/hooks'
import { useProjects } from '@/api/projects'
import { request } from '@/api/request'
import type { Schema } from '@/api/types'
import { useFormat } from '@/i18n/format'
import { DataTable } from '@/list/DataTable'
import { useSearchState } from '@/list/search'
import { Loaded } from '@/ui/Feedback'
import { Card, Facts, Page } from '@/ui/Page'
import { DateTime, Time } from '@/ui/Time'
import { ErrorDetails } from './ErrorDetails'
import { ErrorDialog } from './ErrorDialog'
import styles from './errors.module.css'
import { useMessages } from './messages'
import { versionOf, versionsOf } from './versions'

type Group = Schema<'ErrorGroupView'>

const MOST = 200
const SHOWN = 10
const MAX_PAGES = 5
const REFRESH_MS = 10_000

/** The group of a fingerprint. The API has no operation for one group, so the newest are looked through. */
async function findGroup(fingerprint: string, instance: true | undefined): Promise<Group | null> {
  let cursor: string | undefined
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const { data, next_cursor } = await request('get', '/api/v1/error_groups', { query: { instance, limit: MOST, cursor } })
    const found = data.find((group) => group.fingerprint === fingerprint)
    if (found) return found
    if (!next_cursor) return null
    cursor = next_cursor
  }
  return null
}

export default function GroupPage() {
  const t = useMessages()
  const { id: fingerprint = '' } = useParams({ strict: false }) as { id?: string }
  const [search, setSearch] = useSearchState()
  const instance = search.instance === 'true' || undefined
  const group = useQuery({ queryKey: ['/api/v1/error_groups', { fingerprint, instance }], queryFn: () => findGroup(fingerprint, instance), refetchInterval: REFRESH_MS })
  const errors = useRead('/api/v1/error_logs', { query: { fingerprint, instance, limit: MOST } }, { refresh: REFRESH_MS })
  const latest = errors.data?.data[0]
  return (
    <Page title={latest?.error_type ?? group.data?.error_type ?? t.error} parent={{ title: t.title, to: '/errors' }}>
      <Loaded query={group}>{(data) => (data ? <Summary group={data} instance={instance} /> : <p>{t.groupGone}</p>)}</Loaded>
      <Loaded query={errors} lines={8}>
        {({ data }) => (
          <>
            {latest && (
              <Card title={t.latest}>
                <ErrorDetails error={latest} />
              </Card>
            )}
            <Versions errors={data} />
            <Occurrences errors={data} fingerprint={fingerprint} instance={instance} onOpen={(id) => setSearch({ error: id })} />
          </>
        )}
      </Loaded>
      {search.error && <ErrorDialog id={search.error} instance={instance} onClose={() => setSearch({ error: undefined })} />}
    </Page>
  )
}

function Summary({ group, instance }: { group: Group; instance: true | undefined }) {
  const t = useMessages()
  const f = useFormat()
  // The end is exclusive, and times are stored to the microsecond.
  const end = new Date(new Date(group.first_seen).getTime() + 1).toISOString()
  const first = useRead('/api/v1/error_logs', { query: { fingerprint: group.fingerprint, instance, created_before: end, limit: 1 } })
  const oldest = first.data?.data[0]
  const version = oldest && versionOf(oldest)
  return (
    <Card>
      <Facts
        facts={[
          [t.count, f.number(group.count)],
          [t.firstSeen, <DateTime at={group.first_seen} />],
          [t.lastSeen, <DateTime at={group.last_seen} />],
          [t.newIn, version && <><code>{version}</code> <span className={styles.note}>{t.newInHelp}</span></>],
          [t.fingerprint, <code>{group.fingerprint}</code>],
        ]}
      />
    </Card>
  )
}

function Versions({ errors }: { errors: Schema<'ErrorLogView'>[] }) {
  const t = useMessages()
  const f = useFormat()
  const versions = versionsOf(errors)
  if (versions.length === 0) return null
  return (
    <Card title={t.versions}>
      <p className={styles.note}>{t.versionsHelp(errors.length)}</p>
      <DataTable
        label={t.versions}
        rows={versions}
        rowKey={(row) => row.version}
        columns={[
          { id: 'version', header: t.version, cell: (row) => <code>{row.version}</code> },
          { id: 'count', header: t.count, isNumeric: true, cell: (row) => f.number(row.count) },
          { id: 'first', header: t.firstSeen, cell: (row) => <Time at={row.first} /> },
          { id: 'last', header: t.lastSeen, cell: (row) => <Time at={row.last} /> },
        ]}
      />
    </Card>
  )
}

interface OccurrencesProps {
  errors: Schema<'ErrorLogView'>[]
  fingerprint: string
  instance: true | undefined
  onOpen: (id: string) => void
}

function Occurrences({ errors, fingerprint, instance, onOpen }: OccurrencesProps) {
  const t = useMessages()
  const { nameOf } = useProjects()
  return (
    <Card title={t.occurrences} actions={<Link to="/error-log" search={{ fingerprint, instance } as never}>{t.allOccurrences}</Link>}>
      <DataTable
        label={t.occurrences}
        rows={errors.slice(0, SHOWN)}
        rowKey={(error) => error.id}
        columns={[
          { id: 'time', header: t.time, cell: (error) => <button type="button" className={styles.open} onClick={() => onOpen(error.id)}><Time at={error.created_at} /></button> },
          { id: 'project', header: t.project, cell: (error) => error.project_id && nameOf(error.project_id) },
          { id: 'endpoint', header: t.endpoint, cell: (error) => error.endpoint },
          { id: 'version', header: t.version, cell: versionOf },
          { id: 'record', header: t.record, cell: (error) => error.record_id && <Link to={`/records/${error.record_id}`}>{t.openRecord}</Link> },
        ]}
      />
    </Card>
  )
}
