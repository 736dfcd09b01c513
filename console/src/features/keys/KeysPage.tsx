import { useNavigate } from '@tanstack/react-router'
import { Plus } from 'lucide-react'
import { useState } from 'react'
import { useChange, useRead } from '@/api/hooks'
import { actorName, useKeyNames, useProjectNames, useUserNames } from '@/api/names'
import { useCan, useSession } from '@/api/session'
import type { Schema } from '@/api/types'
import { useWords } from '@/i18n/words'
import type { Column } from '@/list/DataTable'
import { useDialog } from '@/list/dialog'
import type { Filter } from '@/list/FilterBar'
import { ResourceList } from '@/list/ResourceList'
import { useSearchState } from '@/list/search'
import { Badge, type Tone } from '@/ui/Badge'
import { Button } from '@/ui/Button'
import { CodeBlock } from '@/ui/Code'
import { ConfirmDialog, Dialog } from '@/ui/Dialog'
import { Empty } from '@/ui/Feedback'
import { Facts, Page } from '@/ui/Page'
import { RowMenu } from '@/ui/RowMenu'
import { SecretDialog } from '@/ui/SecretDialog'
import { DateTime, Time } from '@/ui/Time'
import { notify } from '@/ui/Toasts'
import { KeyForm } from './KeyForm'
import { useMessages } from './messages'
import { type KeyState, stateOf, trial } from './state'

type Key = Schema<'ApiKeyView'>

const TONES: Record<KeyState, Tone> = { valid: 'success', expired: 'warning', revoked: 'neutral' }

export default function KeysPage() {
  const t = useMessages()
  const w = useWords()
  const can = useCan()
  const navigate = useNavigate()
  const { projectId } = useSession()
  const [search] = useSearchState()
  const [dialog, open, close] = useDialog<'new' | 'show' | 'revoke' | 'take-over'>()
  const [created, setCreated] = useState<Schema<'ApiKeyCreated'> | null>(null)
  const users = useUserNames()
  const projects = useProjectNames()
  const keys = useKeyNames()
  const chosen = useRead('/api/v1/api_keys/{id}', { params: { id: dialog.id } }, { enabled: dialog.id !== '' })
  const key = chosen.data?.id === dialog.id ? chosen.data : undefined
  const revoke = useChange('delete', '/api/v1/api_keys/{id}', ['/api/v1/api_keys'])
  const takeOver = useChange('post', '/api/v1/api_keys/{id}/take_over', ['/api/v1/api_keys'])
  const canWrite = can('api_keys:write')
  const maker = (each: Key) => (each.made_by ? actorName(each.made_by, users, keys) : t.noMaker)
  const scopes = (each: Key) => (each.scopes.includes('*') ? w.allPermissions : each.scopes.length > 2 ? t.count(each.scopes.length) : each.scopes.join(', '))
  const columns: Column<Key>[] = [
    { id: 'name', header: w.name, cell: (each) => each.name, value: (each) => each.name },
    { id: 'prefix', header: t.prefix, cell: (each) => <code>{each.prefix}…</code>, value: (each) => each.prefix },
    { id: 'state', header: w.state, cell: (each) => <Badge tone={TONES[stateOf(each)]}>{t.states[stateOf(each)]}</Badge>, value: (each) => stateOf(each) },
    { id: 'scopes', header: t.scopes, cell: (each) => <span title={each.scopes.join(', ')}>{scopes(each)}</span>, value: (each) => each.scopes.join(' ') },
    { id: 'project', header: w.project, cell: (each) => projects.nameOf(each.project_id), value: (each) => each.project_id && projects.nameOf(each.project_id) },
    { id: 'user', header: w.user, cell: (each) => users.nameOf(each.user_id), value: (each) => each.user_id && users.nameOf(each.user_id) },
    { id: 'maker', header: t.maker, cell: maker, value: (each) => each.made_by },
    { id: 'expires', header: w.expires, cell: (each) => (each.expires_at ? <Time at={each.expires_at} /> : w.never), value: (each) => each.expires_at },
    { id: 'lastUsed', header: w.lastUsed, cell: (each) => (each.last_used_at ? <Time at={each.last_used_at} /> : w.never), value: (each) => each.last_used_at },
    { id: 'created', header: w.created, isOptional: true, cell: (each) => <Time at={each.created_at} />, value: (each) => each.created_at },
  ]
  const filters: Filter[] = [
    { name: 'user_id', label: w.user, options: search.user_id && !users.options.some(({ value }) => value === search.user_id) ? [...users.options, { value: search.user_id, label: users.nameOf(search.user_id) }] : users.options },
    ...(projectId ? [] : [{ name: 'project_id', label: w.project, options: projects.options }]),
  ]
  return (
    <Page
      title={t.title}
      description={t.description}
      actions={
        canWrite && (
          <Button look="primary" icon={<Plus size={16} />} onClick={() => open('new')}>
            {t.add}
          </Button>
        )
      }
    >
      <ResourceList
        path="/api/v1/api_keys"
        label={t.title}
        columns={columns}
        filters={filters}
        query={{ project_id: projectId ?? undefined }}
        rowKey={(each) => each.id}
        rowActions={(each) => (
          <RowMenu
            name={each.name}
            items={[
              { label: t.details, onSelect: () => open('show', each.id) },
              can('llm_calls:read') && { label: t.calls, onSelect: () => void navigate({ to: '/calls', search: { api_key_id: each.id } } as never) },
              canWrite && !each.revoked_at && { label: t.takeOver, onSelect: () => open('take-over', each.id) },
              canWrite && !each.revoked_at && { label: w.revoke, isDangerous: true, onSelect: () => open('revoke', each.id) },
            ]}
          />
        )}
        empty={
          <Empty title={t.empty} command="loam key create --name app">
            {t.emptyHint}
          </Empty>
        }
      />
      {dialog.name === 'new' && canWrite && <KeyForm userId={search.user_id} onClose={close} onCreated={setCreated} />}
      {created && (
        <SecretDialog title={t.shown(created.name)} secret={created.key} onClose={() => setCreated(null)}>
          <p>{t.tryIt}</p>
          <CodeBlock code={trial(created.key, location.origin, created.scopes)} label={t.tryIt} />
        </SecretDialog>
      )}
      {key && (
        <>
          <Dialog title={t.showTitle(key.name)} isOpen={dialog.name === 'show'} onClose={close} size="wide">
            <Facts
              facts={[
                [w.state, <Badge tone={TONES[stateOf(key)]}>{t.states[stateOf(key)]}</Badge>],
                [t.prefix, <code>{key.prefix}…</code>],
                [w.id, <code>{key.id}</code>],
                [t.maker, maker(key)],
                [w.project, projects.nameOf(key.project_id)],
                [w.user, users.nameOf(key.user_id)],
                [w.created, <DateTime at={key.created_at} />],
                [w.expires, key.expires_at ? <DateTime at={key.expires_at} /> : w.never],
                [w.lastUsed, key.last_used_at ? <DateTime at={key.last_used_at} /> : w.never],
                [t.revoked, key.revoked_at && <DateTime at={key.revoked_at} />],
                [t.origins, key.allowed_origins?.join(', ')],
                [t.scopes, key.scopes.includes('*') ? w.allPermissions : key.scopes.join(', ')],
              ]}
            />
          </Dialog>
          <ConfirmDialog
            title={t.revokeTitle(key.name)}
            description={t.revokeHint}
            action={w.revoke}
            isOpen={dialog.name === 'revoke' && canWrite}
            onClose={close}
            onConfirm={async () => {
              await revoke.mutateAsync({ params: { id: key.id } })
              notify(t.wasRevoked(key.name))
            }}
          />
          <ConfirmDialog
            title={t.takeOverTitle(key.name)}
            description={t.takeOverHint}
            action={t.takeOver}
            isOpen={dialog.name === 'take-over' && canWrite}
            onClose={close}
            onConfirm={async () => {
              await takeOver.mutateAsync({ params: { id: key.id } })
              notify(t.tookOver(key.name))
            }}
          />
        </>
      )}
    </Page>
  )
}
