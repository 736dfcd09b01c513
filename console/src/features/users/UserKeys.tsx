import { Link } from '@tanstack/react-router'
import { useCan } from '@/api/session'
import type { Schema } from '@/api/types'
import { useWords } from '@/i18n/words'
import type { Column } from '@/list/DataTable'
import { ResourceList } from '@/list/ResourceList'
import { Badge } from '@/ui/Badge'
import { Empty } from '@/ui/Feedback'
import { Time } from '@/ui/Time'
import { useMessages } from './messages'

type Key = Schema<'ApiKeyView'>

/** The keys that act for a user. */
export function UserKeys({ userId }: { userId: string }) {
  const t = useMessages()
  const w = useWords()
  const can = useCan()
  const links = { user_id: userId }
  const columns: Column<Key>[] = [
    { id: 'name', header: w.name, cell: (key) => <Link to="/keys" search={{ ...links, dialog: 'show', item: key.id } as never}>{key.name}</Link>, value: (key) => key.name },
    { id: 'prefix', header: t.prefix, cell: (key) => <code>{key.prefix}…</code>, value: (key) => key.prefix },
    { id: 'state', header: w.state, cell: (key) => <Badge tone={key.revoked_at ? 'neutral' : 'success'}>{key.revoked_at ? t.keyStates.revoked : t.keyStates.valid}</Badge>, value: (key) => (key.revoked_at ? 'revoked' : 'valid') },
    { id: 'permissions', header: w.permissions, cell: (key) => (key.scopes.includes('*') ? w.allPermissions : key.scopes.join(', ')), value: (key) => key.scopes.join(' ') },
    { id: 'expires', header: w.expires, cell: (key) => (key.expires_at ? <Time at={key.expires_at} /> : w.never), value: (key) => key.expires_at },
    { id: 'lastUsed', header: w.lastUsed, cell: (key) => (key.last_used_at ? <Time at={key.last_used_at} /> : w.never), value: (key) => key.last_used_at },
  ]
  return (
    <>
      <p>
        <Link to="/keys" search={links as never}>
          {t.allKeys}
        </Link>
        {can('api_keys:write') && (
          <>
            {' · '}
            <Link to="/keys" search={{ ...links, dialog: 'new' } as never}>
              {t.newKey}
            </Link>
          </>
        )}
      </p>
      <ResourceList path="/api/v1/api_keys" label={t.keys} columns={columns} query={{ user_id: userId }} rowKey={(key) => key.id} empty={<Empty title={t.noKeys} />} />
    </>
  )
}
