import { useState } from 'react'
import type { Permission } from '@/api/generated/permissions'
import { useChange } from '@/api/hooks'
import { useCan } from '@/api/session'
import type { Schema } from '@/api/types'
import { versionOf } from '@/api/version'
import { ConflictNotice } from '@/form/FormError'
import type { Conflict } from '@/form/useForm'
import { useWords } from '@/i18n/words'
import { usePermissionMessages } from '@/permissions/messages'
import { GROUPS, includes, PERMISSION_GROUPS, toggled, verbOf } from '@/permissions/permissions'
import { Button } from '@/ui/Button'
import { classes } from '@/ui/classes'
import { ErrorMessage } from '@/ui/Feedback'
import { useUiMessages } from '@/ui/messages'
import { RowMenu } from '@/ui/RowMenu'
import { notify } from '@/ui/Toasts'
import { difference, rebased } from './difference'
import styles from './Matrix.module.css'
import { useMessages } from './messages'

type Role = Schema<'RoleView'>

interface MatrixProps {
  roles: Role[]
  canWrite: boolean
  onEdit: (role: Role) => void
  onDelete: (role: Role) => void
}

/** Roles in columns, permissions in rows by what they are about. Those of the tenant's own roles are changed by ticking,
 * and saved together. */
export function Matrix({ roles, canWrite, onEdit, onDelete }: MatrixProps) {
  const t = useMessages()
  const p = usePermissionMessages()
  const w = useWords()
  const can = useCan()
  const [drafts, setDrafts] = useState<Record<string, string[]>>({})
  const [text, setText] = useState('')
  const own = roles.filter((role) => !role.built_in)
  const columns = [...own, ...roles.filter((role) => role.built_in)]
  const wanted = text.trim().toLowerCase()
  const shown = GROUPS.map((group) => ({
    group,
    permissions: PERMISSION_GROUPS[group].filter((permission) => permission.includes(wanted) || p.groups[group].toLowerCase().includes(wanted)),
  })).filter(({ permissions }) => permissions.length > 0)
  return (
    <div className={styles.matrix}>
      {own.length === 0 && canWrite && <p>{t.ownEmpty}</p>}
      <input type="search" className={styles.search} aria-label={t.search} placeholder={t.search} value={text} onChange={(event) => setText(event.target.value)} />
      <div className={styles.scroll} tabIndex={0} role="region" aria-label={t.matrix}>
        <table className={styles.table} aria-label={t.matrix}>
          <thead>
            <tr>
              <th scope="col">{t.permission}</th>
              {columns.map((role) => (
                <th key={role.id} scope="col" title={role.built_in ? (t.descriptions[role.name] ?? role.description) : role.description}>
                  <span className={styles.role}>
                    {role.name}
                    {!role.built_in && canWrite && (
                      <RowMenu
                        name={role.name}
                        items={[
                          { label: w.edit, onSelect: () => onEdit(role) },
                          { label: w.delete, isDangerous: true, onSelect: () => onDelete(role) },
                        ]}
                      />
                    )}
                  </span>
                  <span className={styles.kind}>{role.built_in ? t.builtIn : t.own}</span>
                </th>
              ))}
            </tr>
          </thead>
          {shown.map(({ group, permissions }) => (
            <tbody key={group}>
              <tr>
                <th scope="rowgroup" colSpan={columns.length + 1} className={styles.group}>
                  <span>{p.groups[group]}</span>
                </th>
              </tr>
              {permissions.map((permission) => (
                <tr key={permission}>
                  <th scope="row">
                    {p.verbs[verbOf(permission)]} <code>{permission}</code>
                  </th>
                  {columns.map((role) => {
                    const isIncluded = includes(drafts[role.id] ?? role.permissions, permission)
                    const isStar = role.permissions.includes('*')
                    const isEditable = !role.built_in && canWrite && !isStar
                    const isAllowed = can(permission as Permission)
                    return (
                      <td key={role.id} title={isStar ? t.star : isEditable && !isAllowed ? p.notYours : undefined}>
                        {isEditable ? (
                          <input
                            type="checkbox"
                            aria-label={t.includes(role.name, permission)}
                            checked={isIncluded}
                            disabled={!isAllowed && !isIncluded}
                            onChange={() => setDrafts((previous) => ({ ...previous, [role.id]: toggled(previous[role.id] ?? role.permissions, permission) }))}
                          />
                        ) : (
                          <span className={classes(isIncluded ? styles.yes : styles.no)}>
                            <span aria-hidden>{isIncluded ? '✓' : '·'}</span>
                            <span className="visually-hidden">{isIncluded ? w.yes : w.no}</span>
                          </span>
                        )}
                      </td>
                    )
                  })}
                </tr>
              ))}
            </tbody>
          ))}
        </table>
      </div>
      {own.map((role) => {
        const changed = difference(role.permissions, drafts[role.id] ?? role.permissions)
        return changed > 0 && <Changes key={role.id} role={role} permissions={drafts[role.id] ?? []} changed={changed} onDone={() => setDrafts(({ [role.id]: _, ...rest }) => rest)} />
      })}
    </div>
  )
}

/** Saves or discards what was ticked for a role. */
function Changes({ role, permissions, changed, onDone }: { role: Role; permissions: string[]; changed: number; onDone: () => void }) {
  const t = useMessages()
  const w = useWords()
  const ui = useUiMessages()
  const update = useChange('patch', '/api/v1/roles/{id}', ['/api/v1/roles'])
  // What the ticks are based on: this appears with the first of them. Only built-in roles never changed.
  const [base, setBase] = useState(role)
  const marked = (role: Role) => Object.fromEntries(role.permissions.map((permission) => [permission, w.yes]))
  async function save(permissions: string[], base: Role) {
    setBase(base)
    await update.mutateAsync({ params: { id: role.id }, body: { permissions }, ifMatch: versionOf(base as { updated_at: string }) })
    notify(t.saved(role.name))
    onDone()
  }
  const conflict: Conflict | null = update.error?.status === 412
    ? {
        id: role.id,
        fields: [...new Set([...base.permissions, ...role.permissions])].filter((each) => base.permissions.includes(each) !== role.permissions.includes(each)).map((name) => ({ name, label: '' })),
        before: marked(base),
        after: role.updated_at === base.updated_at ? undefined : marked(role),
        keepMine: () => save(rebased(base.permissions, permissions, role.permissions), role).catch(() => undefined),
        startAgain: onDone,
      }
    : null
  return (
    <div className={styles.changes}>
      <span role="status">{t.changes(role.name, changed)}</span>
      <Button onClick={onDone}>{t.discard}</Button>
      <Button look="primary" isBusy={update.isPending} onClick={() => void save(permissions, base).catch(() => undefined)}>
        {ui.save}
      </Button>
      {conflict ? <ConflictNotice conflict={conflict} isBusy={update.isPending} /> : update.error && <ErrorMessage error={update.error} />}
    </div>
  )
}
