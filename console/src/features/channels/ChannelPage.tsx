import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { EllipsisVertical, Pencil, Plug } from 'lucide-react'
import { useState } from 'react'
import { useChange, useRead } from '@/api/hooks'
import { useProjects } from '@/api/projects'
import type { ApiError } from '@/api/request'
import { useCan } from '@/api/session'
import type { Schema } from '@/api/types'
import { FormDialog } from '@/form/FormDialog'
import { useSearchState } from '@/list/search'
import { Button, IconButton } from '@/ui/Button'
import { ConfirmDialog } from '@/ui/Dialog'
import { ErrorMessage, Loaded } from '@/ui/Feedback'
import { Menu } from '@/ui/Menu'
import { Page } from '@/ui/Page'
import { Tabs } from '@/ui/Tabs'
import { notify } from '@/ui/Toasts'
import { Chats } from './Chats'
import { channelFields } from './fields'
import { useMessages } from './messages'
import { Overview } from './Overview'
import { ChannelSecretDialog } from './ChannelSecretDialog'

const PATH = '/api/v1/channels'
type Dialogs = 'edit' | 'rotate' | 'disconnect' | 'delete'

export default function ChannelPage() {
  const t = useMessages()
  const can = useCan()
  const navigate = useNavigate()
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  const [search, setSearch] = useSearchState()
  const [dialog, setDialog] = useState<Dialogs | null>(null)
  const [secret, setSecret] = useState<Schema<'ChannelSecretView'> | null>(null)
  const [connection, setConnection] = useState<Schema<'ChannelConnection'> | null>(null)
  const [error, setError] = useState<ApiError | null>(null)
  const channel = useRead(`${PATH}/{id}`, { params: { id } })
  const { projects } = useProjects()
  const patch = useChange('patch', `${PATH}/{id}`, [PATH])
  const connect = useChange('post', `${PATH}/{id}/connect`, [])
  const disconnect = useChange('post', `${PATH}/{id}/disconnect`, [])
  const rotate = useChange('post', `${PATH}/{id}/rotate_secret`, [PATH])
  const remove = useChange('delete', `${PATH}/{id}`, [])
  const params = { id }
  const view = channel.data
  const close = () => setDialog(null)

  async function attempt(action: () => Promise<unknown>) {
    setError(null)
    try {
      await action()
    } catch (cause) {
      setError(cause as ApiError)
    }
  }
  const connectNow = () =>
    attempt(async () => {
      const made = await connect.mutateAsync({ params })
      setConnection(made)
      notify(made.told ? t.isConnected : t.enterAddress)
    })
  const actions = view && can('channels:write') && (
    <>
      <Button icon={<Plug size={16} />} isBusy={connect.isPending} onClick={() => void connectNow()}>
        {t.connect}
      </Button>
      <Button look="primary" icon={<Pencil size={16} />} onClick={() => setDialog('edit')}>
        {t.edit}
      </Button>
      <Menu
        trigger={<IconButton label={t.more} icon={<EllipsisVertical size={18} />} />}
        groups={[
          {
            items: [
              { label: view.is_active ? t.deactivate : t.activate, onSelect: () => void attempt(() => patch.mutateAsync({ params, body: { is_active: !view.is_active } })) },
              { label: t.rotate, onSelect: () => setDialog('rotate') },
              ...(view.kind === 'telegram' ? [{ label: t.disconnect, onSelect: () => setDialog('disconnect') }] : []),
            ],
          },
          { items: [{ label: t.delete, onSelect: () => setDialog('delete'), isDangerous: true }] },
        ]}
      />
    </>
  )
  return (
    <Page title={view?.name ?? t.title} parent={{ title: t.title, to: '/channels' }} actions={actions}>
      {error && <ErrorMessage error={error} />}
      <Loaded query={channel} lines={8}>
        {(view) => (
          <>
            <Tabs
              label={t.tabs}
              selected={search.tab ?? 'overview'}
              onSelect={(tab) => setSearch({ tab: tab === 'overview' ? undefined : tab, cursor: undefined })}
              tabs={[
                { id: 'overview', label: t.overview, content: <Overview channel={view} connection={connection} /> },
                { id: 'chats', label: t.chats, content: <Chats channelId={id} /> },
              ]}
            />
            {can('webhook_deliveries:read') && (
              <p>
                <Link to="/deliveries" search={{ channel_id: id } as never}>
                  {t.deliveries}
                </Link>
              </p>
            )}
            {dialog === 'edit' && (
              <FormDialog
                title={view.name}
                existing={view}
                fields={channelFields(t, view.kind, projects, false)}
                onClose={close}
                onSubmit={(body, ifMatch) => patch.mutateAsync({ params, body: body as Schema<'ChannelUpdate'>, ifMatch })}
              />
            )}
          </>
        )}
      </Loaded>
      {dialog === 'rotate' && (
        <FormDialog
          title={t.rotate}
          description={t.rotateHelp}
          action={t.rotate}
          fields={[
            { name: 'secret', label: t.secret, help: t.secretHelp, kind: 'password' },
            { name: 'keep_old_seconds', label: t.keepOld, kind: 'number', min: 0, max: 604_800, step: 1, initial: 3600 },
          ]}
          onClose={close}
          onSubmit={async (body) => setSecret(await rotate.mutateAsync({ params, body: body as Schema<'SecretRotate'> }))}
        />
      )}
      {secret && <ChannelSecretDialog channel={secret} onClose={() => setSecret(null)} />}
      <ConfirmDialog
        title={t.disconnectTitle}
        description={t.disconnectHelp}
        action={t.disconnect}
        isOpen={dialog === 'disconnect'}
        onClose={close}
        onConfirm={async () => {
          await disconnect.mutateAsync({ params })
          notify(t.isDisconnected)
        }}
      />
      <ConfirmDialog
        title={t.deleteTitle(view?.name ?? '')}
        description={t.deleteHelp}
        action={t.delete}
        isOpen={dialog === 'delete'}
        onClose={close}
        onConfirm={async () => {
          await remove.mutateAsync({ params })
          notify(t.isDeleted)
          await navigate({ to: '/channels' })
        }}
      />
    </Page>
  )
}
