import { useQueries } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { ApiError, request } from '@/api/request'
import { useCan } from '@/api/session'
import type { Schema } from '@/api/types'
import { DataTable } from '@/list/DataTable'
import { Badge, type Tone } from '@/ui/Badge'
import { Time } from '@/ui/Time'
import { useMessages } from './messages'
import { contextOf } from './metric'
import { shortId } from '@/i18n/format'

const TONES: Record<Schema<'DeliveryState'>, Tone> = { pending: 'info', delivered: 'success', dead: 'danger' }
const REFRESH_MS = 5_000

interface Row {
  id: string
  ofEnd: boolean
  delivery: Schema<'WebhookDeliveryView'> | null | undefined
}

/** The notifications of an incident. */
export function Deliveries({ event }: { event: Schema<'AlertEventView'> }) {
  const t = useMessages()
  const can = useCan()
  const { opened = [], resolved = [] } = contextOf(event).deliveries ?? {}
  const ids = [...opened, ...resolved]
  const found = useQueries({
    queries: ids.map((id) => ({
      queryKey: ['/api/v1/webhook_deliveries/{id}', { id }, {}],
      queryFn: () => deliveryOf(id),
      enabled: can('webhook_deliveries:read'),
      refetchInterval: ({ state }: { state: { data?: Schema<'WebhookDeliveryView'> | null } }) => (state.data?.state === 'pending' ? REFRESH_MS : (false as const)),
    })),
  })
  if (ids.length === 0) return <p>{t.noDeliveries}</p>
  const rows: Row[] = ids.map((id, index) => ({ id, ofEnd: index >= opened.length, delivery: found[index]?.data }))
  return (
    <DataTable
      label={t.deliveries}
      rows={rows}
      rowKey={(row) => row.id}
      columns={[
        { id: 'target', header: t.target, cell: ({ id, delivery }) => <Link to="/deliveries" search={{ delivery: id } as never}>{delivery?.target ?? shortId(id)}</Link> },
        { id: 'of', header: t.about, cell: ({ ofEnd }) => (ofEnd ? t.ofEnd : t.ofOpening) },
        {
          id: 'state',
          header: t.state,
          cell: ({ delivery }) => (delivery ? <Badge tone={TONES[delivery.state]}>{t.deliveryStates[delivery.state]}</Badge> : delivery === null ? t.deliveryGone : ''),
        },
        { id: 'attempts', header: t.attempts, isNumeric: true, cell: ({ delivery }) => delivery?.attempts ?? '' },
        { id: 'time', header: t.sent, cell: ({ delivery }) => delivery && <Time at={delivery.delivered_at ?? delivery.next_attempt_at} /> },
        { id: 'error', header: t.error, cell: ({ delivery }) => delivery?.error_message ?? '' },
      ]}
    />
  )
}

/** A delivery; null if it isn't stored any more. */
async function deliveryOf(id: string): Promise<Schema<'WebhookDeliveryView'> | null> {
  try {
    return await request('get', '/api/v1/webhook_deliveries/{id}', { params: { id } })
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null
    throw error
  }
}
