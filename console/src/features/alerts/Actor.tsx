import { Link } from '@tanstack/react-router'
import { useRead } from '@/api/hooks'
import { useCan } from '@/api/session'
import { useMessages } from './messages'

/** Who did something, as the audit trail names them: `user:<id>`, `api_key:<id>`, `system:…`. */
export function Actor({ actor }: { actor: string }) {
  const t = useMessages()
  const can = useCan()
  const [kind = '', id = ''] = actor.split(':')
  const user = useRead('/api/v1/users/{id}', { params: { id } }, { enabled: kind === 'user' && can('users:read') })
  if (kind === 'user') return <Link to={`/users/${id}`}>{user.data?.username ?? `…${id.slice(-8)}`}</Link>
  if (kind === 'system') return t.actors.system
  if (kind === 'api_key') return `${t.actors.apiKey} …${id.slice(-8)}`
  return actor
}
