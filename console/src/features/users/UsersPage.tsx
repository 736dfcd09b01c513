import { useNavigate } from '@tanstack/react-router'
import { Plus } from 'lucide-react'
import { useChange } from '@/api/hooks'
import { useCan } from '@/api/session'
import type { Schema } from '@/api/types'
import { FormDialog } from '@/form/FormDialog'
import { useWords } from '@/i18n/words'
import type { Column } from '@/list/DataTable'
import { useDialog } from '@/list/dialog'
import { ResourceList } from '@/list/ResourceList'
import { Badge } from '@/ui/Badge'
import { Button } from '@/ui/Button'
import { Empty } from '@/ui/Feedback'
import { Page } from '@/ui/Page'
import { Time } from '@/ui/Time'
import { useUserFields } from './form'
import { useMessages } from './messages'

type User = Schema<'UserView'>

export default function UsersPage() {
  const t = useMessages()
  const w = useWords()
  const can = useCan()
  const navigate = useNavigate()
  const fields = useUserFields()
  const [dialog, open, close] = useDialog<'new'>()
  const create = useChange('post', '/api/v1/users', ['/api/v1/users'])
  const canWrite = can('users:write')
  const login = (user: User) => (user.password_change_required ? t.logins.change : user.has_password ? t.logins.password : t.logins.none)
  const columns: Column<User>[] = [
    { id: 'username', header: t.username, cell: (user) => user.username, value: (user) => user.username },
    { id: 'fullName', header: t.fullName, cell: (user) => user.full_name ?? '', value: (user) => user.full_name },
    { id: 'email', header: t.email, cell: (user) => user.email, value: (user) => user.email },
    { id: 'roles', header: w.roles, cell: (user) => user.roles.join(', '), value: (user) => user.roles.join(' ') },
    { id: 'state', header: w.state, cell: (user) => <Badge tone={user.is_active ? 'success' : 'neutral'}>{user.is_active ? w.active : w.inactive}</Badge>, value: (user) => user.is_active },
    { id: 'login', header: t.login, cell: login, value: login },
    { id: 'externalId', header: t.externalId, isOptional: true, cell: (user) => user.external_id ?? '', value: (user) => user.external_id },
    { id: 'created', header: w.created, cell: (user) => <Time at={user.created_at} />, value: (user) => user.created_at },
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
        path="/api/v1/users"
        label={t.title}
        columns={columns}
        filters={[
          { name: 'username', label: t.usernameExact },
          { name: 'external_id', label: t.externalIdExact },
          { name: 'is_active', label: w.state, options: [{ value: 'true', label: w.active }, { value: 'false', label: w.inactive }] },
        ]}
        rowKey={(user) => user.id}
        rowLink={(user) => `/users/${user.id}`}
        empty={
          <Empty title={t.empty} command="loam user create --username ann --email ann@example.com --role developer">
            {t.emptyHint}
          </Empty>
        }
      />
      {dialog.name === 'new' && canWrite && (
        <FormDialog
          title={t.newTitle}
          fields={fields.ofNew}
          onClose={close}
          onSubmit={async (body) => {
            const user = await create.mutateAsync({ body: body as Schema<'UserCreate'> })
            void navigate({ to: `/users/${user.id}` } as never)
          }}
        />
      )}
    </Page>
  )
}
