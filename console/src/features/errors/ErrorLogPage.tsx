import { Link } from '@tanstack/react-router'
import { useProjects } from '@/api/projects'
import { useSession } from '@/api/session'
import type { Schema } from '@/api/types'
import { useFormat } from '@/i18n/format'
import type { Column } from '@/list/DataTable'
import type { Filter } from '@/list/FilterBar'
import { ResourceList } from '@/list/ResourceList'
import { useSearchState } from '@/list/search'
import { Empty } from '@/ui/Feedback'
import { Page } from '@/ui/Page'
import { Time } from '@/ui/Time'
import { ErrorDialog } from './ErrorDialog'
import styles from './errors.module.css'
import { useMessages } from './messages'
import { splitMessage } from './trace'
import { versionOf } from './versions'

type ErrorLog = Schema<'ErrorLogView'>

const REFRESH_MS = 10_000

export default function ErrorLogPage() {
  const t = useMessages()
  const f = useFormat()
  const { session, projectId } = useSession()
  const { nameOf } = useProjects()
  const [search, setSearch] = useSearchState()
  const columns: Column<ErrorLog>[] = [
    {
      id: 'type',
      header: t.type,
      cell: (error) => (
        <button type="button" className={styles.open} aria-label={`${error.error_type} ${f.dateTime(error.created_at)}`} onClick={() => setSearch({ error: error.id }, { push: true })}>
          {error.error_type}
        </button>
      ),
      value: (error) => error.error_type,
    },
    { id: 'message', header: t.message, cell: (error) => splitMessage(error.error_message).message, value: (error) => error.error_message },
    { id: 'time', header: t.time, cell: (error) => <Time at={error.created_at} />, value: (error) => error.created_at },
    { id: 'source', header: t.source, isOptional: true, cell: (error) => t.sources[error.source as keyof typeof t.sources] ?? error.source, value: (error) => error.source },
    { id: 'project', header: t.project, cell: (error) => error.project_id && nameOf(error.project_id), value: (error) => error.project_id },
    { id: 'endpoint', header: t.endpoint, cell: (error) => error.endpoint, value: (error) => error.endpoint },
    { id: 'version', header: t.version, isOptional: true, cell: versionOf, value: versionOf },
    { id: 'trace', header: t.trace, isOptional: true, cell: (error) => error.trace_id && <Link to="/records" search={{ trace_id: error.trace_id } as never}>{error.trace_id}</Link>, value: (error) => error.trace_id },
    { id: 'requestId', header: t.requestId, isOptional: true, cell: (error) => error.request_id && <code>{error.request_id}</code>, value: (error) => error.request_id },
  ]
  const filters: Filter[] = [
    { name: 'error_type', label: t.type },
    { name: 'endpoint', label: t.endpoint },
    { name: 'trace_id', label: t.trace },
    { name: 'request_id', label: t.requestId },
    ...(session.operator ? [{ name: 'instance', label: t.scope, options: [{ value: 'true', label: t.scopes.instance }] }] : []),
    ...(search.fingerprint ? [{ name: 'fingerprint', label: t.fingerprint }] : []),
    ...(search.record_id ? [{ name: 'record_id', label: t.record }] : []),
  ]
  return (
    <Page title={t.log} description={t.logDescription}>
      <ResourceList
        path="/api/v1/error_logs"
        label={t.log}
        columns={columns}
        filters={filters}
        query={{ project_id: search.project_id ?? projectId ?? undefined }}
        timeParameters={['created_after', 'created_before']}
        rowKey={(error) => error.id}
        refresh={REFRESH_MS}
        empty={<Empty title={t.empty} action={<Link to="/connect">{t.connect}</Link>}>{t.emptyHint}</Empty>}
      />
      {search.error && <ErrorDialog id={search.error} instance={search.instance === 'true' || undefined} hasGroupLink onClose={() => setSearch({ error: undefined })} />}
    </Page>
  )
}
