import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useChange } from '@/api/hooks'
import { useUserNames } from '@/api/names'
import { useCan, useSession } from '@/api/session'
import type { Schema } from '@/api/types'
import { useWords } from '@/i18n/words'
import type { Column } from '@/list/DataTable'
import { ResourceList } from '@/list/ResourceList'
import { Badge, type Tone } from '@/ui/Badge'
import { Button } from '@/ui/Button'
import { browserOf } from '@/ui/browser'
import { ConfirmDialog } from '@/ui/Dialog'
import { Page } from '@/ui/Page'
import { DateTime, Time } from '@/ui/Time'
import { useMessages } from './messages'

type LoginSession = Schema<'LoginSessionView'>
type State = 'active' | 'revoked' | 'expired'

const TONES: Record<State, Tone> = { active: 'success', revoked: 'neutral', expired: 'neutral' }
const REFRESH_MS = 30_000

function stateOf(session: LoginSession): State {
  if (session.revoked_at) return 'revoked'
  return new Date(session.expires_at).getTime() <= Date.now() ? 'expired' : 'active'
}

export default function LoginSessionsPage() {
  const t = useMessages()
  const w = useWords()
  const can = useCan()
  const { session: own } = useSession()
  const users = useUserNames()
  const [ending, setEnding] = useState<LoginSession | null>(null)
  const end = useChange('delete', '/api/v1/login_sessions/{id}', ['/api/v1/login_sessions'])
  const name = (session: LoginSession) => users.nameOf(session.user_id)
  const columns: Column<LoginSession>[] = [
    { id: 'user', header: w.user, cell: (session) => (can('users:read') ? <Link to={`/users/${session.user_id}`}>{name(session)}</Link> : name(session)), value: name },
    { id: 'state', header: w.state, cell: (session) => <span><Badge tone={TONES[stateOf(session)]}>{t.states[stateOf(session)]}</Badge> {session.id === own.session_id && <Badge tone="info">{t.yours}</Badge>}</span>, value: stateOf },
    { id: 'browser', header: t.browser, cell: (session) => <span title={session.user_agent ?? undefined}>{browserOf(session.user_agent)}</span>, value: (session) => session.user_agent },
    { id: 'address', header: t.address, cell: (session) => <code>{session.ip_address}</code>, value: (session) => session.ip_address },
    { id: 'lastSeen', header: t.lastSeen, cell: (session) => <Time at={session.last_seen_at} />, value: (session) => session.last_seen_at },
    { id: 'since', header: t.since, cell: (session) => <Time at={session.created_at} />, value: (session) => session.created_at },
    { id: 'ends', header: t.ends, isOptional: true, cell: (session) => <DateTime at={session.expires_at} />, value: (session) => session.expires_at },
  ]
  return (
    <Page title={t.title} description={t.description}>
      <ResourceList
        path="/api/v1/login_sessions"
        label={t.title}
        columns={columns}
        filters={[{ name: 'user_id', label: w.user, options: users.options }]}
        rowKey={(session) => session.id}
        refresh={REFRESH_MS}
        rowActions={(session) =>
          can('login_sessions:write') &&
          stateOf(session) === 'active' && (
            <Button look="plain" onClick={() => setEnding(session)}>
              {t.end}
            </Button>
          )
        }
      />
      {ending && (
        <ConfirmDialog
          title={t.endTitle(name(ending))}
          description={ending.id === own.session_id ? t.endYours : t.endHint}
          action={t.end}
          isOpen
          onClose={() => setEnding(null)}
          onConfirm={() => end.mutateAsync({ params: { id: ending.id } })}
        />
      )}
    </Page>
  )
}
