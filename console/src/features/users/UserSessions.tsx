import { useState } from 'react'
import { useChange } from '@/api/hooks'
import { useCan } from '@/api/session'
import type { Schema } from '@/api/types'
import { useWords } from '@/i18n/words'
import type { Column } from '@/list/DataTable'
import { ResourceList } from '@/list/ResourceList'
import { Badge } from '@/ui/Badge'
import { Button } from '@/ui/Button'
import { Empty } from '@/ui/Feedback'
import { Time } from '@/ui/Time'
import { notify } from '@/ui/Toasts'
import { browserOf } from '@/ui/browser'
import { useMessages } from './messages'

type LoginSession = Schema<'LoginSessionView'>

/** Where a user is logged in. */
export function UserSessions({ userId }: { userId: string }) {
  const t = useMessages()
  const w = useWords()
  const can = useCan()
  const [now] = useState(() => Date.now())
  const end = useChange('delete', '/api/v1/login_sessions/{id}', ['/api/v1/login_sessions'])
  const isActive = (session: LoginSession) => !session.revoked_at && new Date(session.expires_at).getTime() > now
  const columns: Column<LoginSession>[] = [
    { id: 'since', header: t.since, cell: (session) => <Time at={session.created_at} />, value: (session) => session.created_at },
    { id: 'state', header: w.state, cell: (session) => <Badge tone={isActive(session) ? 'success' : 'neutral'}>{isActive(session) ? w.active : t.ended}</Badge>, value: isActive },
    { id: 'browser', header: t.browser, cell: (session) => <span title={session.user_agent ?? undefined}>{browserOf(session.user_agent)}</span>, value: (session) => session.user_agent },
    { id: 'address', header: t.address, cell: (session) => <code>{session.ip_address}</code>, value: (session) => session.ip_address },
    { id: 'lastSeen', header: t.lastSeen, cell: (session) => <Time at={session.last_seen_at} />, value: (session) => session.last_seen_at },
  ]
  return (
    <ResourceList
      path="/api/v1/login_sessions"
      label={t.sessions}
      columns={columns}
      query={{ user_id: userId }}
      rowKey={(session) => session.id}
      rowActions={(session) =>
        can('login_sessions:write') &&
        isActive(session) && (
          <Button look="plain" onClick={() => end.mutate({ params: { id: session.id } }, { onError: (error) => notify(error.message) })}>
            {t.endSession}
          </Button>
        )
      }
      empty={<Empty title={t.noSessions} />}
    />
  )
}
