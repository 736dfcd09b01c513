import { useState } from 'react'
import { useChange } from '@/api/hooks'
import { useProjectNames, useUserNames } from '@/api/names'
import { ApiError } from '@/api/request'
import { useSession } from '@/api/session'
import type { Schema } from '@/api/types'
import { FormDialog } from '@/form/FormDialog'
import { useWords } from '@/i18n/words'
import { PermissionPicker } from '@/permissions/PermissionPicker'
import { useMessages } from './messages'

type Created = Schema<'ApiKeyCreated'>

interface KeyFormProps {
  /** The user that the key is for, if that is decided. */
  userId?: string
  onCreated: (key: Created) => void
  onClose: () => void
}

export function KeyForm({ userId, onCreated, onClose }: KeyFormProps) {
  const t = useMessages()
  const w = useWords()
  const { projectId } = useSession()
  const users = useUserNames()
  const projects = useProjectNames()
  const create = useChange('post', '/api/v1/api_keys', ['/api/v1/api_keys'])
  const [scopes, setScopes] = useState(['gateway:call'])
  // A user who isn't among the newest can be named by the page's URL.
  const userOptions = userId && !users.options.some(({ value }) => value === userId) ? [...users.options, { value: userId, label: users.nameOf(userId) }] : users.options
  return (
    <FormDialog
      title={t.newTitle}
      size="wide"
      onClose={onClose}
      fields={[
        { name: 'name', label: w.name, help: t.nameHelp, isRequired: true },
        { name: 'project_id', label: w.project, help: t.projectHelp, kind: 'choice', options: projects.options, initial: projectId ?? undefined },
        { name: 'user_id', label: w.user, help: t.userHelp, kind: 'choice', options: userOptions, initial: userId },
        { name: 'expires_at', label: w.expires, help: t.expiresHelp, kind: 'time' },
        { name: 'allowed_origins', label: t.origins, help: t.originsHelp, kind: 'texts' },
      ]}
      onSubmit={async (body) => {
        if (scopes.length === 0) throw new ApiError(0, 'no_scopes', t.scopesEmpty, null, null)
        onCreated(await create.mutateAsync({ body: { ...body, scopes } as Schema<'ApiKeyCreate'> }))
      }}
    >
      <PermissionPicker label={t.scopes} help={t.scopesHelp} value={scopes} onChange={setScopes} />
    </FormDialog>
  )
}
