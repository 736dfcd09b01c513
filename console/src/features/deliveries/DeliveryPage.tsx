import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { Send, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { useRead } from '@/api/hooks'
import { useCan } from '@/api/session'
import { Button } from '@/ui/Button'
import { CodeBlock, Id, JsonBlock } from '@/ui/Code'
import { ConfirmDialog } from '@/ui/Dialog'
import { Loaded } from '@/ui/Feedback'
import { Card, Facts, Page } from '@/ui/Page'
import { DateTime } from '@/ui/Time'
import { useMessages } from './messages'
import { StateBadge } from './StateBadge'
import { useDeliveryActions } from './useDeliveryActions'

const REFRESH_MS = 1_000

export default function DeliveryPage() {
  const t = useMessages()
  const can = useCan()
  const navigate = useNavigate()
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  const [isDeleting, setDeleting] = useState(false)
  const delivery = useRead('/api/v1/webhook_deliveries/{id}', { params: { id } }, { enabled: !isDeleting, refresh: (data) => data?.state === 'pending' && REFRESH_MS })
  const channels = useRead('/api/v1/channels', { query: { limit: 200 } }, { enabled: can('channels:read') && Boolean(delivery.data?.channel_id) })
  const actions = useDeliveryActions()
  const data = delivery.data
  return (
    <Page
      title={data ? (t.kinds[data.kind] ?? data.kind) : t.delivery}
      parent={{ title: t.title, to: '/deliveries' }}
      actions={
        data &&
        can('webhook_deliveries:write') && (
          <>
            {data.state !== 'delivered' && (
              <Button look="primary" icon={<Send size={16} />} isBusy={actions.isRetrying} onClick={() => void actions.retry(id)}>
                {data.state === 'dead' ? t.retry : t.retryNow}
              </Button>
            )}
            <Button look="danger" icon={<Trash2 size={16} />} onClick={() => setDeleting(true)}>
              {t.delete}
            </Button>
          </>
        )
      }
    >
      <Loaded query={delivery} lines={8}>
        {(view) => (
          <>
            <Card>
              <Facts
                facts={[
                  [t.state, <span role="status"><StateBadge state={view.state} /></span>],
                  [t.target, view.target],
                  [t.channel, view.channel_id && <Link to={`/channels/${view.channel_id}`}>{channels.data?.data.find((each) => each.id === view.channel_id)?.name ?? view.channel_id}</Link>],
                  [t.attempts, String(view.attempts)],
                  [t.status, view.status_code],
                  [t.next, view.state === 'pending' && (view.next_attempt_at ? <DateTime at={view.next_attempt_at} /> : t.waits)],
                  [t.delivered, view.delivered_at && <DateTime at={view.delivered_at} />],
                  [t.created, <DateTime at={view.created_at} />],
                  [t.updated, <DateTime at={view.updated_at} />],
                  [t.header, <Id id={view.id} />],
                ]}
              />
            </Card>
            {view.error_message && (
              <Card title={t.error}>
                <CodeBlock code={view.error_message} label={t.error} />
              </Card>
            )}
            <Card title={t.payload}>
              <JsonBlock value={view.payload} label={t.payload} />
            </Card>
          </>
        )}
      </Loaded>
      <ConfirmDialog
        title={t.deleteTitle}
        description={t.deleteHelp}
        action={t.delete}
        isOpen={isDeleting}
        onClose={() => setDeleting(false)}
        onConfirm={async () => {
          await actions.remove(id)
          await navigate({ to: '/deliveries' })
        }}
      />
    </Page>
  )
}
