import { Link } from '@tanstack/react-router'
import { useRead } from '@/api/hooks'
import { useProjects } from '@/api/projects'
import { useCan } from '@/api/session'
import { shortId } from '@/i18n/format'
import { defineMessages } from '@/i18n/language'

const useMessages = defineMessages(
  {
    commandLine: 'Command line',
    erased: 'Erased',
    system: (part: string) => `Loam (${part})`,
    apiKey: 'Key',
    token: 'Token:',
    endUser: 'End user',
    projectKey: 'Ingest key of',
  },
  {
    commandLine: '命令行',
    erased: '已抹除',
    system: (part) => `Loam（${part}）`,
    apiKey: '密钥',
    token: '令牌：',
    endUser: '最终用户',
    projectKey: '接入 key：',
  },
)

/** A user's name, as a link for those who may read users. */
export function UserName({ id }: { id: string }) {
  const can = useCan()
  const user = useRead('/api/v1/users/{id}', { params: { id } }, { enabled: can('users:read') })
  if (!can('users:read')) return <span title={id}>{shortId(id)}</span>
  return <Link to={`/users/${id}`}>{user.data?.username ?? shortId(id)}</Link>
}

/** An API key's name. */
export function KeyName({ id }: { id: string }) {
  const can = useCan()
  const key = useRead('/api/v1/api_keys/{id}', { params: { id } }, { enabled: can('api_keys:read') })
  return <span title={id}>{key.data?.name ?? shortId(id)}</span>
}

/** A project's name. */
export function ProjectName({ id }: { id: string }) {
  return <span title={id}>{useProjects().nameOf(id)}</span>
}

/** Who did something: `user:<id>`, `api_key:<id>`, `command_line`, `system:<part>`, … A token acts as `service:` and its owner. */
export function Actor({ actor }: { actor: string }) {
  const t = useMessages()
  const [kind = '', id = ''] = actor.split(/:(.*)/)
  switch (kind) {
    case 'user':
      return <UserName id={id} />
    case 'api_key':
      return <span>{t.apiKey} <KeyName id={id} /></span>
    case 'service':
      return <span>{t.token} <Actor actor={id} /></span>
    case 'end_user':
      return `${t.endUser} ${id}`
    case 'project_key':
      return <span>{t.projectKey} <ProjectName id={id} /></span>
    case 'command_line':
      return t.commandLine
    case 'erased':
      return t.erased
    case 'system':
      return t.system(id)
    default:
      return actor
  }
}
