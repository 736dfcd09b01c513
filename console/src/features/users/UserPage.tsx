import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { useChange, useRead } from '@/api/hooks'
import { useCan, useSession } from '@/api/session'
import type { Schema } from '@/api/types'
import { FormDialog } from '@/form/FormDialog'
import { useWords } from '@/i18n/words'
import { useDialog } from '@/list/dialog'
import { useSearchState } from '@/list/search'
import { Badge } from '@/ui/Badge'
import { Button } from '@/ui/Button'
import { JsonBlock } from '@/ui/Code'
import { ConfirmDialog } from '@/ui/Dialog'
import { Loaded } from '@/ui/Feedback'
import { Card, Facts, Page } from '@/ui/Page'
import { RowMenu } from '@/ui/RowMenu'
import { SecretDialog } from '@/ui/SecretDialog'
import { Tabs } from '@/ui/Tabs'
import { DateTime } from '@/ui/Time'
import { notify } from '@/ui/Toasts'
import { useUserFields } from './form'
import { useMessages } from './messages'
import { Preferences } from './Preferences'
import { UserKeys } from './UserKeys'
import { UserSessions } from './UserSessions'

type User = Schema<'UserView'>

export default function UserPage() {
  const t = useMessages()
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  const user = useRead('/api/v1/users/{id}', { params: { id } })
  return (
    <Page title={user.data?.username ?? t.title} parent={{ title: t.title, to: '/users' }} actions={user.data && <Actions user={user.data} />}>
      <Loaded query={user} lines={8}>
        {(data) => <Details user={data} />}
      </Loaded>
    </Page>
  )
}

function Details({ user }: { user: User }) {
  const t = useMessages()
  const can = useCan()
  const { session } = useSession()
  const [search, setSearch] = useSearchState()
  const isSelf = session.user?.id === user.id
  const tabs = [
    { id: 'overview', label: t.overview, isShown: true, content: <Overview user={user} /> },
    { id: 'keys', label: t.keys, isShown: can('api_keys:read'), content: <UserKeys userId={user.id} /> },
    { id: 'sessions', label: t.sessions, isShown: can('login_sessions:read'), content: <UserSessions userId={user.id} /> },
    { id: 'preferences', label: t.preferences, isShown: can('user_preferences:read') && (isSelf || can('user_preferences:all' as never)), content: <Preferences userId={user.id} /> },
  ].filter((tab) => tab.isShown)
  return <Tabs label={user.username} tabs={tabs} selected={search.tab ?? 'overview'} onSelect={(tab) => setSearch({ tab: tab === 'overview' ? undefined : tab, cursor: undefined, columns: undefined })} />
}

function Overview({ user }: { user: User }) {
  const t = useMessages()
  const w = useWords()
  const can = useCan()
  return (
    <Card>
      <Facts
        facts={[
          [t.username, user.username],
          [t.fullName, user.full_name],
          [t.email, user.email],
          [w.state, <Badge tone={user.is_active ? 'success' : 'neutral'}>{user.is_active ? w.active : w.inactive}</Badge>],
          [w.roles, can('roles:read') ? <Link to="/roles">{user.roles.join(', ')}</Link> : user.roles.join(', ')],
          [t.login, user.password_change_required ? t.logins.change : user.has_password ? t.logins.password : t.logins.none],
          [t.externalId, user.external_id],
          [w.id, <code>{user.id}</code>],
          [w.created, <DateTime at={user.created_at} />],
          [w.updated, <DateTime at={user.updated_at} />],
          [t.calls, can('llm_calls:read') && <Link to="/calls" search={{ user_id: user.id } as never}>{t.calls}</Link>],
        ]}
      />
      {Object.keys(user.metadata).length > 0 && (
        <>
          <h3>{t.metadata}</h3>
          <JsonBlock value={user.metadata} label={t.metadata} />
        </>
      )}
    </Card>
  )
}

function Actions({ user }: { user: User }) {
  const t = useMessages()
  const w = useWords()
  const can = useCan()
  const navigate = useNavigate()
  const fields = useUserFields()
  const [dialog, open, close] = useDialog<'edit' | 'reset' | 'deactivate' | 'erase'>()
  const [password, setPassword] = useState<string | null>(null)
  const update = useChange('patch', '/api/v1/users/{id}', ['/api/v1/users', '/api/v1/login_sessions'])
  const reset = useChange('post', '/api/v1/users/{id}/password_reset', ['/api/v1/users', '/api/v1/login_sessions'])
  const erase = useChange('delete', '/api/v1/users/{id}', ['/api/v1/erasures', '/api/v1/api_keys', '/api/v1/login_sessions'])
  if (!can('users:write')) return null
  const params = { id: user.id }
  return (
    <>
      <Button onClick={() => open('edit')}>{w.edit}</Button>
      <Button onClick={() => open('reset')}>{t.resetPassword}</Button>
      <RowMenu
        name={user.username}
        items={[
          user.is_active
            ? { label: w.deactivate, onSelect: () => open('deactivate') }
            : { label: w.activate, onSelect: () => update.mutate({ params, body: { is_active: true } }, { onError: (error) => notify(error.message) }) },
          { label: t.erase, isDangerous: true, onSelect: () => open('erase') },
        ]}
      />
      {dialog.name === 'edit' && <FormDialog title={t.editTitle(user.username)} fields={fields.ofExisting} existing={user} onClose={close} onSubmit={(body, ifMatch) => update.mutateAsync({ params, body, ifMatch })} />}
      <ConfirmDialog
        title={t.resetTitle(user.username)}
        description={t.resetHint}
        action={t.resetPassword}
        isOpen={dialog.name === 'reset'}
        onClose={close}
        onConfirm={async () => setPassword((await reset.mutateAsync({ params })).password)}
      />
      <ConfirmDialog
        title={t.deactivateTitle(user.username)}
        description={t.deactivateHint}
        action={w.deactivate}
        isOpen={dialog.name === 'deactivate'}
        onClose={close}
        onConfirm={() => update.mutateAsync({ params, body: { is_active: false } })}
      />
      <ConfirmDialog
        title={t.eraseTitle(user.username)}
        description={t.eraseHint}
        action={t.erase}
        isOpen={dialog.name === 'erase'}
        onClose={close}
        onConfirm={async () => {
          await erase.mutateAsync({ params, query: { erase: true } })
          notify(t.erasing(user.username))
          void navigate({ to: can('erasures:read') ? '/erasures' : '/users' } as never)
        }}
      />
      {password && <SecretDialog title={t.newPassword(user.username)} secret={password} onClose={() => setPassword(null)} />}
    </>
  )
}
