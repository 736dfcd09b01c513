import { Send, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { useCan } from '@/api/session'
import type { Schema } from '@/api/types'
import type { Column } from '@/list/DataTable'
import type { Filter } from '@/list/FilterBar'
import { ResourceList } from '@/list/ResourceList'
import { useSearchState } from '@/list/search'
import { IconButton } from '@/ui/Button'
import { ConfirmDialog } from '@/ui/Dialog'
import { Empty } from '@/ui/Feedback'
import { Page } from '@/ui/Page'
import { Time } from '@/ui/Time'
import { useMessages } from './messages'
import { StateBadge } from './StateBadge'
import { useDeliveryActions } from './useDeliveryActions'

const REFRESH_MS = 3_000

export default function DeliveriesPage() {
  const t = useMessages()
  const can = useCan()
  const [search] = useSearchState()
  const actions = useDeliveryActions()
  const [deleted, setDeleted] = useState<string | null>(null)
  const columns: Column<Schema<'WebhookDeliveryView'>>[] = [
    { id: 'created', header: t.created, cell: (row) => <Time at={row.created_at} />, value: (row) => row.created_at },
    { id: 'kind', header: t.kind, cell: (row) => t.kinds[row.kind] ?? row.kind, value: (row) => row.kind },
    { id: 'target', header: t.target, cell: (row) => <span title={row.target}>{row.target}</span>, value: (row) => row.target },
    { id: 'state', header: t.state, cell: (row) => <StateBadge state={row.state} />, value: (row) => row.state },
    { id: 'attempts', header: t.attempts, isNumeric: true, cell: (row) => row.attempts, value: (row) => row.attempts },
    { id: 'next', header: t.next, cell: (row) => (row.state !== 'pending' ? '' : row.next_attempt_at ? <Time at={row.next_attempt_at} /> : t.waits), value: (row) => row.next_attempt_at },
    { id: 'status', header: t.status, isOptional: true, isNumeric: true, cell: (row) => row.status_code ?? '', value: (row) => row.status_code },
    { id: 'error', header: t.error, cell: (row) => row.error_message && <span title={row.error_message}>{row.error_message}</span>, value: (row) => row.error_message },
  ]
  const options = (names: Record<string, string>) => Object.entries(names).map(([value, label]) => ({ value, label }))
  const filters: Filter[] = [
    { name: 'state', label: t.state, options: options(t.states) },
    { name: 'kind', label: t.kind, options: options(t.kinds) },
  ]
  return (
    <Page title={t.title} description={t.description}>
      <ResourceList
        path="/api/v1/webhook_deliveries"
        label={t.title}
        columns={columns}
        filters={filters}
        query={{ channel_id: search.channel_id }}
        rowKey={(row) => row.id}
        rowLink={(row) => `/deliveries/${row.id}`}
        rowActions={
          can('webhook_deliveries:write')
            ? (row) => (
                <span>
                  {row.state !== 'delivered' && <IconButton label={`${row.state === 'dead' ? t.retry : t.retryNow}: ${row.target}`} icon={<Send size={16} />} onClick={() => void actions.retry(row.id)} />}
                  <IconButton label={`${t.delete}: ${row.target}`} icon={<Trash2 size={16} />} onClick={() => setDeleted(row.id)} />
                </span>
              )
            : undefined
        }
        refresh={REFRESH_MS}
        empty={<Empty title={t.empty}>{t.emptyHint}</Empty>}
      />
      <ConfirmDialog title={t.deleteTitle} description={t.deleteHelp} action={t.delete} isOpen={deleted !== null} onClose={() => setDeleted(null)} onConfirm={async () => deleted && actions.remove(deleted)} />
    </Page>
  )
}
