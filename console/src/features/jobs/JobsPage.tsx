import { Ban, RotateCcw } from 'lucide-react'
import { useState } from 'react'
import { useIsOperator } from '@/api/session'
import type { Schema } from '@/api/types'
import { useFormat } from '@/i18n/format'
import { useLanguage } from '@/i18n/language'
import type { Column } from '@/list/DataTable'
import type { Filter } from '@/list/FilterBar'
import { ResourceList } from '@/list/ResourceList'
import { useSearchState } from '@/list/search'
import { IconButton } from '@/ui/Button'
import { ConfirmDialog } from '@/ui/Dialog'
import { Empty } from '@/ui/Feedback'
import { Page } from '@/ui/Page'
import { Time } from '@/ui/Time'
import { KINDS, kindText } from './kinds'
import { useMessages } from './messages'
import { StateBadge } from './StateBadge'
import { useJobActions } from './useJobActions'

type Job = Schema<'JobView'>

const REFRESH_MS = 3_000

export default function JobsPage() {
  const t = useMessages()
  const f = useFormat()
  const language = useLanguage()
  const isOperator = useIsOperator()
  const [search] = useSearchState()
  const isInstance = isOperator && search.instance === 'true'
  const actions = useJobActions(isInstance)
  const [cancelled, setCancelled] = useState<Job | null>(null)
  const columns: Column<Job>[] = [
    { id: 'kind', header: t.kind, cell: (job) => <span title={job.kind}>{kindText(job.kind, language) ?? job.kind}</span>, value: (job) => job.kind },
    { id: 'state', header: t.state, cell: (job) => <StateBadge state={job.state} />, value: (job) => job.state },
    { id: 'attempts', header: t.attempts, isNumeric: true, cell: (job) => `${job.attempts} / ${job.max_attempts}`, value: (job) => job.attempts },
    { id: 'created', header: t.created, cell: (job) => <Time at={job.created_at} />, value: (job) => job.created_at },
    { id: 'runAt', header: t.runAt, cell: (job) => (job.state === 'queued' ? <Time at={job.run_at} /> : ''), value: (job) => job.run_at },
    { id: 'duration', header: t.duration, isNumeric: true, cell: (job) => f.duration(job.finished_at ? Date.parse(job.finished_at) - Date.parse(job.created_at) : null), value: (job) => (job.finished_at ? Date.parse(job.finished_at) - Date.parse(job.created_at) : null) },
    { id: 'error', header: t.error, cell: (job) => job.last_error && <span title={job.last_error}>{job.last_error}</span>, value: (job) => job.last_error },
    { id: 'key', header: t.uniqueKey, isOptional: true, cell: (job) => job.unique_key && <code>{job.unique_key}</code>, value: (job) => job.unique_key },
  ]
  const filters: Filter[] = [
    ...(isOperator ? [{ name: 'instance', label: t.scope, options: [{ value: 'true', label: t.ofInstance }] }] : []),
    { name: 'state', label: t.state, options: Object.entries(t.states).map(([value, label]) => ({ value, label })) },
    { name: 'kind', label: t.kind, options: Object.keys(KINDS).map((kind) => ({ value: kind, label: `${kindText(kind, language)} (${kind})` })) },
  ]
  return (
    <Page title={t.title} description={t.description}>
      <ResourceList
        path="/api/v1/jobs"
        label={t.title}
        columns={columns}
        filters={filters}
        rowKey={(job) => job.id}
        rowLink={(job) => `/jobs/${job.id}${isInstance ? '?instance=true' : ''}`}
        rowActions={(job) => (
          <span>
            {actions.canRetry(job) && <IconButton label={`${t.retry}: ${job.kind}`} icon={<RotateCcw size={16} />} onClick={() => void actions.retry(job)} />}
            {actions.canCancel(job) && <IconButton label={`${t.cancel}: ${job.kind}`} icon={<Ban size={16} />} onClick={() => setCancelled(job)} />}
          </span>
        )}
        refresh={REFRESH_MS}
        empty={<Empty title={t.empty}>{t.emptyHint}</Empty>}
      />
      <ConfirmDialog title={t.cancelTitle} description={t.cancelHelp} action={t.cancel} isOpen={cancelled !== null} onClose={() => setCancelled(null)} onConfirm={async () => cancelled && actions.cancel(cancelled)} />
    </Page>
  )
}
