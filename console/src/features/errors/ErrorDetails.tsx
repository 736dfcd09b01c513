import { Link } from '@tanstack/react-router'
import { useProjects } from '@/api/projects'
import { useSession } from '@/api/session'
import type { Schema } from '@/api/types'
import { JsonBlock } from '@/ui/Code'
import { Facts } from '@/ui/Page'
import { DateTime } from '@/ui/Time'
import styles from './errors.module.css'
import { useMessages } from './messages'
import { StackTrace } from './StackTrace'
import { splitMessage } from './trace'
import { versionOf } from './versions'

interface Context {
  function?: string | null
  file_path?: string | null
  line_number?: number | null
  call_id?: string | null
}

/** One error with its trace and what it belongs to. */
export function ErrorDetails({ error, hasGroupLink }: { error: Schema<'ErrorLogView'>; hasGroupLink?: boolean }) {
  const t = useMessages()
  const { nameOf } = useProjects()
  const { session } = useSession()
  const context = (error.context ?? {}) as Context
  const { message, trace } = splitMessage(error.error_message)
  const stack = error.stack_trace ?? trace
  return (
    <div className={styles.details}>
      <p className={styles.message}>{message}</p>
      <Facts
        facts={[
          [t.time, <DateTime at={error.created_at} />],
          [t.source, t.sources[error.source as keyof typeof t.sources] ?? error.source],
          [t.project, error.project_id && nameOf(error.project_id)],
          [t.endpoint, error.endpoint],
          [t.version, versionOf(error)],
          [t.function, context.function && <code>{context.function}</code>],
          [t.place, context.file_path && <code>{context.line_number ? `${context.file_path}:${context.line_number}` : context.file_path}</code>],
          [t.record, error.record_id && <Link to={`/records/${error.record_id}`} search={{ call: context.call_id ?? undefined } as never}>{t.openRecord}</Link>],
          [t.trace, error.trace_id && <Link to="/records" search={{ trace_id: error.trace_id } as never}><code>{error.trace_id}</code></Link>],
          [t.requestId, error.request_id && <Link to="/api-log" search={{ request_id: error.request_id } as never}><code>{error.request_id}</code></Link>],
          [t.group, hasGroupLink && <Link to={`/errors/${error.fingerprint}`}>{t.openGroup}</Link>],
        ]}
      />
      <h3>{t.stack}</h3>
      {stack ? <StackTrace text={stack} /> : <p className={styles.note}>{error.source === 'instance' && !session.operator ? t.causeHidden : t.noStack}</p>}
      <h3>{t.context}</h3>
      <JsonBlock value={error.context} label={t.context} />
    </div>
  )
}
