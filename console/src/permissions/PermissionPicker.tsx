import { useCan } from '@/api/session'
import type { Permission } from '@/api/generated/permissions'
import { usePermissionMessages } from './messages'
import { ALL, GROUPS, PERMISSION_GROUPS, includes, toggled, verbOf } from './permissions'
import styles from './PermissionPicker.module.css'

interface PermissionPickerProps {
  label: string
  help?: string
  error?: string
  value: string[]
  onChange: (permissions: string[]) => void
}

/** Chooses permissions, of those that the caller has: nobody can pass on more. */
export function PermissionPicker({ label, help, error, value, onChange }: PermissionPickerProps) {
  const t = usePermissionMessages()
  const can = useCan()
  const canAll = can(ALL as Permission)
  return (
    <fieldset className={styles.picker}>
      <legend className={styles.legend}>{label}</legend>
      {help && <p className={styles.help}>{help}</p>}
      {error && (
        <p className={styles.error} role="alert">
          {error}
        </p>
      )}
      {canAll && (
        <label className={styles.check}>
          <input type="checkbox" checked={value.includes(ALL)} onChange={() => onChange(value.includes(ALL) ? [] : [ALL])} /> {t.all} <span className={styles.help}>{t.allHelp}</span>
        </label>
      )}
      <div className={styles.groups}>
        {GROUPS.filter((group) => PERMISSION_GROUPS[group].some((permission) => can(permission as Permission))).map((group) => (
          <div key={group} role="group" aria-label={t.groups[group]} className={styles.group}>
            <span>{t.groups[group]}</span>
            <span className={styles.verbs}>
              {PERMISSION_GROUPS[group].map((permission) => (
                <label key={permission} className={styles.check} title={can(permission as Permission) ? permission : t.notYours}>
                  <input
                    type="checkbox"
                    checked={includes(value, permission)}
                    disabled={value.includes(ALL) || !can(permission as Permission)}
                    onChange={() => onChange(toggled(value, permission))}
                  />{' '}
                  {t.verbs[verbOf(permission)]}
                </label>
              ))}
            </span>
          </div>
        ))}
      </div>
    </fieldset>
  )
}
