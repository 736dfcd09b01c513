import { Minus, Pencil, Plus } from 'lucide-react'
import { fieldChanges } from './diff'
import styles from './FieldDiff.module.css'
import { useUiMessages } from './messages'

interface FieldDiffProps {
  before: unknown
  after: unknown
  /** Its name for screen readers. */
  label: string
  /** What a field is called, if its path says too little. */
  nameOf?: (path: string) => string | undefined
}

/** The fields that differ between two values, before and after. */
export function FieldDiff({ before, after, label, nameOf }: FieldDiffProps) {
  const t = useUiMessages()
  // A value that is set for the first time is shown by its fields.
  const changes = fieldChanges(before ?? {}, after ?? {})
  if (changes.length === 0) return <p className={styles.none}>{t.noDifference}</p>
  const kinds = { added: t.added, removed: t.removed, changed: t.changed }
  const icons = { added: <Plus size={14} aria-hidden />, removed: <Minus size={14} aria-hidden />, changed: <Pencil size={14} aria-hidden /> }
  return (
    <div className={styles.scroll} tabIndex={0} role="region" aria-label={label}>
      <table className={styles.table}>
        <thead>
          <tr>
            <th scope="col">{t.field}</th>
            <th scope="col">{t.before}</th>
            <th scope="col">{t.after}</th>
          </tr>
        </thead>
        <tbody>
          {changes.map((change) => {
            const name = nameOf?.(change.path)
            return (
              <tr key={change.path}>
                <th scope="row">
                  <span className={styles.name}>
                    {icons[change.kind]}
                    <span className="visually-hidden">{kinds[change.kind]}</span>
                    <span>
                      {name && <span className={styles.title}>{name}</span>}
                      {change.path ? <code>{change.path}</code> : t.wholeValue}
                    </span>
                  </span>
                </th>
                <td className={change.kind === 'added' ? undefined : styles.before}>{change.kind !== 'added' && <code>{shown(change.before)}</code>}</td>
                <td className={change.kind === 'removed' ? undefined : styles.after}>{change.kind !== 'removed' && <code>{shown(change.after)}</code>}</td>
              </tr>
            )
          })}
        </tbody>
      </table>
    </div>
  )
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value, null, 1) ?? '')
}
