import { AlertCircle } from 'lucide-react'
import type { ReactNode } from 'react'
import { ApiError } from '@/api/request'
import { Button } from './Button'
import { CodeBlock, CopyButton } from './Code'
import styles from './Feedback.module.css'
import { useUiMessages } from './messages'

/** An error in a line or two, with the id by which the server's log is searched. */
export function ErrorMessage({ error, onRetry }: { error: Error; onRetry?: () => void }) {
  const t = useUiMessages()
  const api = error instanceof ApiError ? error : null
  return (
    <div className={styles.error} role="alert">
      <AlertCircle size={18} className={styles.icon} aria-hidden />
      <div className={styles.text}>
        <p>
          {api?.code === 'unreachable' ? t.unreachable : error.message} {api?.retryAfter && t.retryAfter(api.retryAfter)}
        </p>
        {api?.requestId && (
          <p className={styles.details}>
            <code>{api.code}</code> · {t.requestId} <code>{api.requestId}</code>
            <CopyButton text={api.requestId} label={t.copyRequestId} />
          </p>
        )}
      </div>
      {onRetry && <Button onClick={onRetry}>{t.retry}</Button>}
    </div>
  )
}

interface EmptyProps {
  title: string
  /** What to do next. */
  children?: ReactNode
  /** The command that does it. */
  command?: string
  action?: ReactNode
}

/** What stands where there is nothing yet, and how to get something. */
export function Empty({ title, children, command, action }: EmptyProps) {
  return (
    <div className={styles.empty}>
      <h2>{title}</h2>
      {children && <div className={styles.hint}>{children}</div>}
      {command && <CodeBlock code={command} />}
      {action}
    </div>
  )
}

/** Grey bars where text will be. */
export function Skeleton({ lines = 3 }: { lines?: number }) {
  const t = useUiMessages()
  return (
    <div className={styles.skeleton} role="status" aria-label={t.loading}>
      {Array.from({ length: lines }, (_, index) => (
        <div key={index} className={styles.line} />
      ))}
    </div>
  )
}

interface LoadedProps<T> {
  query: { data: T | undefined; error: Error | null; refetch: () => unknown }
  lines?: number
  children: (data: T) => ReactNode
}

/** What a query read, or that it is being read, or why it can't be. */
export function Loaded<T>({ query, lines, children }: LoadedProps<T>) {
  if (query.error && query.data === undefined) return <ErrorMessage error={query.error} onRetry={() => query.refetch()} />
  if (query.data === undefined) return <Skeleton lines={lines} />
  return children(query.data)
}
