import { Plus } from 'lucide-react'
import { useState } from 'react'
import { useChange, useRead } from '@/api/hooks'
import { ApiError } from '@/api/request'
import { useCan } from '@/api/session'
import type { Schema } from '@/api/types'
import { FormDialog } from '@/form/FormDialog'
import { useWords } from '@/i18n/words'
import { useDialog } from '@/list/dialog'
import { PermissionPicker } from '@/permissions/PermissionPicker'
import { Button } from '@/ui/Button'
import { ConfirmDialog } from '@/ui/Dialog'
import { Loaded } from '@/ui/Feedback'
import { Page } from '@/ui/Page'
import { Matrix } from './Matrix'
import { useMessages } from './messages'

type Role = Schema<'RoleView'>

const MOST = 200

export default function RolesPage() {
  const t = useMessages()
  const w = useWords()
  const can = useCan()
  const [dialog, open, close] = useDialog<'new' | 'edit' | 'delete'>()
  const roles = useRead('/api/v1/roles', { query: { limit: MOST } })
  const update = useChange('patch', '/api/v1/roles/{id}', ['/api/v1/roles'])
  const remove = useChange('delete', '/api/v1/roles/{id}', ['/api/v1/roles'])
  const canWrite = can('roles:write')
  const role = roles.data?.data.find((each) => each.id === dialog.id)
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
      <Loaded query={roles} lines={12}>
        {({ data }) => <Matrix roles={data} canWrite={canWrite} onEdit={(each) => open('edit', each.id)} onDelete={(each) => open('delete', each.id)} />}
      </Loaded>
      {dialog.name === 'new' && canWrite && <NewRole onClose={close} />}
      {dialog.name === 'edit' && role && !role.built_in && canWrite && (
        <FormDialog title={t.editTitle(role.name)} fields={[{ name: 'description', label: w.description }]} existing={role} onClose={close} onSubmit={(body, ifMatch) => update.mutateAsync({ params: { id: role.id }, body: { description: String(body.description ?? '') }, ifMatch })} />
      )}
      {role && (
        <ConfirmDialog
          title={t.deleteTitle(role.name)}
          description={t.deleteHint}
          action={w.delete}
          isOpen={dialog.name === 'delete' && canWrite}
          onClose={close}
          onConfirm={() => remove.mutateAsync({ params: { id: role.id } })}
        />
      )}
    </Page>
  )
}

function NewRole({ onClose }: { onClose: () => void }) {
  const t = useMessages()
  const w = useWords()
  const create = useChange('post', '/api/v1/roles', ['/api/v1/roles'])
  const [permissions, setPermissions] = useState<string[]>([])
  return (
    <FormDialog
      title={t.newTitle}
      size="wide"
      onClose={onClose}
      fields={[
        { name: 'name', label: w.name, help: t.nameHelp, isRequired: true, placeholder: 'support' },
        { name: 'description', label: w.description },
      ]}
      onSubmit={async (body): Promise<Role> => {
        if (permissions.length === 0) throw new ApiError(0, 'no_permissions', t.noPermissions, null, null)
        return create.mutateAsync({ body: { ...body, permissions } as Schema<'RoleCreate'> })
      }}
    >
      <PermissionPicker label={w.permissions} value={permissions} onChange={setPermissions} />
    </FormDialog>
  )
}
