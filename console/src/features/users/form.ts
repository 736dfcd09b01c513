import { useRoleNames } from '@/api/names'
import type { Field } from '@/form/field'
import { useWords } from '@/i18n/words'
import { useMessages } from './messages'

/** The fields of users: of a new one, and those that can be changed. */
export function useUserFields(): { ofNew: Field[]; ofExisting: Field[] } {
  const t = useMessages()
  const w = useWords()
  const roles = useRoleNames()
  const username: Field = { name: 'username', label: t.username, help: t.usernameHelp, isRequired: true }
  const shared: Field[] = [
    { name: 'email', label: t.email, kind: 'email', isRequired: true },
    { name: 'full_name', label: t.fullName },
    { name: 'external_id', label: t.externalId, help: t.externalIdHelp },
  ]
  const rolesField: Field = { name: 'roles', label: w.roles, help: t.rolesHelp, kind: 'choices', options: roles.options }
  return {
    ofNew: [username, ...shared, { name: 'password', label: t.password, help: t.passwordHelp, kind: 'password' }, rolesField],
    ofExisting: [...shared, rolesField, { name: 'is_active', label: t.isActive, kind: 'boolean' }],
  }
}
