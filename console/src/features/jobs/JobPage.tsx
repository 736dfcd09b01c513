import { useParams } from '@tanstack/react-router'
import { Ban, RotateCcw } from 'lucide-react'
import { useState } from 'react'
import { useRead } from '@/api/hooks'
import { useIsOperator } from '@/api/session'
import { useFormat } from '@/i18n/format'
import { useLanguage } from '@/i18n/language'
import { useSearchState } from '@/list/search'
import { Button } from '@/ui/Button'
import { CodeBlock, Id, JsonBlock } from '@/ui/Code'
import { ConfirmDialog } from '@/ui/Dialog'
import { Loaded } from '@/ui/Feedback'
import { Card, Facts, Page } from '@/ui/Page'
import { DateTime } from '@/ui/Time'
import { kindText } from './kinds'
import { useMessages } from './messages'
import { StateBadge } from './StateBadge'
import { useJobActions } from './useJobActions'

const REFRESH_MS = 1_000

export default function JobPage() {
  const t = useMessages()
  const f = useFormat()
  const language = useLanguage()
  const isOperator = useIsOperator()
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  const [search] = useSearchState()
  const isInstance = isOperator && search.instance === 'true'
  const job = useRead('/api/v1/jobs/{id}', { params: { id }, query: { instance: isInstance || undefined } }, { refresh: (data) => (data?.state === 'queued' || data?.state === 'running') && REFRESH_MS })
  const actions = useJobActions(isInstance)
  const [isCancelling, setCancelling] = useState(false)
  const data = job.data
  return (
    <Page
      title={data ? (kindText(data.kind, language) ?? data.kind) : t.title}
      parent={{ title: t.title, to: '/jobs' }}
      actions={
        data && (
          <>
            {actions.canRetry(data) && (
              <Button look="primary" icon={<RotateCcw size={16} />} onClick={() => void actions.retry(data)}>
                {t.retry}
              </Button>
            )}
            {actions.canCancel(data) && (
              <Button look="danger" icon={<Ban size={16} />} onClick={() => setCancelling(true)}>
                {t.cancel}
              </Button>
            )}
          </>
        )
      }
    >
      <Loaded query={job} lines={8}>
        {(view) => (
          <>
            <Card>
              <Facts
                facts={[
                  [t.state, <StateBadge state={view.state} />],
                  [t.kind, <code>{view.kind}</code>],
                  ['ID', <Id id={view.id} />],
                  [t.scope, isInstance ? t.ofInstance : t.ofTenant],
                  [t.attempts, `${view.attempts} / ${view.max_attempts}`],
                  [t.created, <DateTime at={view.created_at} />],
                  [t.runAt, view.state === 'queued' && <DateTime at={view.run_at} />],
                  [t.finished, view.finished_at && <DateTime at={view.finished_at} />],
                  [t.duration, view.finished_at && f.duration(Date.parse(view.finished_at) - Date.parse(view.created_at))],
                  [t.node, view.lease_owner && <Id id={view.lease_owner} />],
                  [t.leaseUntil, view.lease_until && <DateTime at={view.lease_until} />],
                  [t.uniqueKey, view.unique_key && <code>{view.unique_key}</code>],
                ]}
              />
            </Card>
            {view.last_error && (
              <Card title={t.error}>
                <CodeBlock code={view.last_error} label={t.error} />
              </Card>
            )}
            <Card title={t.payload}>{view.payload === null ? <p>{t.noPayload}</p> : <JsonBlock value={view.payload} label={t.payload} />}</Card>
            <ConfirmDialog title={t.cancelTitle} description={t.cancelHelp} action={t.cancel} isOpen={isCancelling} onClose={() => setCancelling(false)} onConfirm={() => actions.cancel(view)} />
          </>
        )}
      </Loaded>
    </Page>
  )
}
