import { ArrowDown, ArrowUp, GripVertical, Plus, X } from 'lucide-react'
import { type KeyboardEvent, type PointerEvent, useRef, useState } from 'react'
import { useProviderNames } from '@/api/names'
import { useRead } from '@/api/hooks'
import formStyles from '@/form/form.module.css'
import { useFormat } from '@/i18n/format'
import { Button, IconButton } from '@/ui/Button'
import { classes } from '@/ui/classes'
import { useMessages } from './messages'
import styles from './TargetEditor.module.css'
import { moved, nameOf, newRow, sharesOf, stepsOf, type TargetRow } from './targets'

interface TargetEditorProps {
  rows: TargetRow[]
  onChange: (rows: TargetRow[]) => void
  /** Routes that can be targets. */
  aliases: string[]
  error?: string
}

/** Value of the choice of a provider that means a route: no provider is called like this. */
const ROUTE = '/'

/** The targets of a route in steps. They are moved by dragging, by buttons, or by the arrow keys at the handle. */
export function TargetEditor({ rows, onChange, aliases, error }: TargetEditorProps) {
  const t = useMessages()
  const f = useFormat()
  const list = useRef<HTMLOListElement>(null)
  const [dragged, setDragged] = useState<number | null>(null)
  const [announced, setAnnounced] = useState('')
  const steps = stepsOf(rows)
  const shares = sharesOf(rows)
  const change = (index: number, changes: Partial<TargetRow>) => onChange(rows.map((row, each) => (each === index ? { ...row, ...changes } : row)))
  const labelOf = (row: TargetRow) => (row.route || row.model ? nameOf(row) : t.unnamed)
  function move(from: number, to: number) {
    const row = rows[from]
    if (!row || to < 0 || to >= rows.length || from === to) return
    onChange(moved(rows, from, to))
    setAnnounced(t.movedTo(labelOf(row), to + 1))
  }
  /** The row follows the pointer: it takes the place of the row whose handle the pointer has reached. */
  function drag(event: PointerEvent) {
    if (dragged === null || !list.current) return
    const from = rows.findIndex((row) => row.key === dragged)
    const handles = [...list.current.querySelectorAll('[data-handle]')].map((handle) => handle.getBoundingClientRect())
    let to = from
    while (to > 0 && event.clientY < (handles[to - 1]?.bottom ?? 0)) to -= 1
    while (to < rows.length - 1 && event.clientY > (handles[to + 1]?.top ?? Infinity)) to += 1
    move(from, to)
  }
  function key(event: KeyboardEvent, index: number) {
    if (event.key !== 'ArrowUp' && event.key !== 'ArrowDown') return
    event.preventDefault()
    move(index, event.key === 'ArrowUp' ? index - 1 : index + 1)
  }
  return (
    <fieldset className={styles.editor}>
      <legend className={formStyles.label}>{t.targets}</legend>
      <p className={formStyles.help}>{t.targetsHelp}</p>
      <ol ref={list} className={styles.rows}>
        {rows.map((row, index) => {
          const isFirst = index === 0 || steps[index] !== steps[index - 1]
          const step = (steps[index] ?? 0) + 1
          const name = labelOf(row)
          const share = shares[index] ?? null
          return (
            <li key={row.key} className={classes(styles.item, dragged === row.key && styles.dragged)}>
              {isFirst && <p className={styles.step}>{step === 1 ? t.step(1) : t.stepAfter(step)}</p>}
              <div className={styles.row} role="group" aria-label={t.target(index + 1)}>
                <button
                  type="button"
                  className={styles.handle}
                  data-handle
                  aria-label={t.drag(name)}
                  onKeyDown={(event) => key(event, index)}
                  onPointerDown={(event) => {
                    event.currentTarget.setPointerCapture(event.pointerId)
                    setDragged(row.key)
                  }}
                  onPointerMove={drag}
                  onPointerUp={() => setDragged(null)}
                  onPointerCancel={() => setDragged(null)}
                >
                  <GripVertical size={16} aria-hidden />
                </button>
                <Target row={row} aliases={aliases} onChange={(changes) => change(index, changes)} />
                <label className={styles.weight}>
                  {t.weight}
                  <input type="number" min={0} max={1000} step={1} required className={formStyles.input} value={Number.isNaN(row.weight) ? '' : row.weight} onChange={(event) => change(index, { weight: event.target.valueAsNumber })} />
                </label>
                <span className={styles.buttons}>
                  <IconButton label={t.up(name)} icon={<ArrowUp size={16} />} disabled={index === 0} onClick={() => move(index, index - 1)} />
                  <IconButton label={t.down(name)} icon={<ArrowDown size={16} />} disabled={index === rows.length - 1} onClick={() => move(index, index + 1)} />
                  <IconButton label={t.remove(name)} icon={<X size={16} />} disabled={rows.length === 1} onClick={() => onChange(rows.filter((each) => each.key !== row.key))} />
                </span>
              </div>
              <div className={styles.place}>
                {index > 0 && (
                  <label className={formStyles.check}>
                    <input type="checkbox" checked={row.isShared} onChange={(event) => change(index, { isShared: event.target.checked })} /> {t.shared}
                  </label>
                )}
                {share !== null && <span className={formStyles.help}>{share === 0 ? t.onlyAfter : t.share(f.percent(share))}</span>}
              </div>
            </li>
          )
        })}
      </ol>
      <div>
        <Button icon={<Plus size={16} />} onClick={() => onChange([...rows, newRow(rows.at(-1)?.provider)])}>
          {t.addTarget}
        </Button>
      </div>
      {error && (
        <p className={formStyles.error} role="alert">
          {error}
        </p>
      )}
      <p className="visually-hidden" aria-live="polite">
        {announced}
      </p>
    </fieldset>
  )
}

function Target({ row, aliases, onChange }: { row: TargetRow; aliases: string[]; onChange: (changes: Partial<TargetRow>) => void }) {
  const t = useMessages()
  const providers = useProviderNames()
  const models = useRead('/api/v1/ai_providers', { query: { name: row.provider } }, { enabled: row.provider !== '' })
  const [isRoute, setRoute] = useState(row.route !== '')
  const known = (models.data?.data[0]?.config as { models?: string[] } | undefined)?.models ?? []
  const names = providers.options.map(({ value }) => value)
  const list = `models-${row.key}`
  return (
    <>
      <label className={styles.provider}>
        {t.provider}
        <select
          className={formStyles.input}
          required
          value={isRoute ? ROUTE : row.provider}
          onChange={(event) => {
            const toRoute = event.target.value === ROUTE
            setRoute(toRoute)
            onChange(toRoute ? { provider: '', model: '', route: aliases[0] ?? '' } : { provider: event.target.value, route: '' })
          }}
        >
          <option value="" />
          {row.provider && !names.includes(row.provider) && <option value={row.provider}>{row.provider}</option>}
          {names.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
          {aliases.length > 0 && <option value={ROUTE}>{t.route}</option>}
        </select>
      </label>
      <label className={styles.model}>
        {isRoute ? t.route : t.model}
        {isRoute ? (
          <select className={formStyles.input} required value={row.route} onChange={(event) => onChange({ route: event.target.value })}>
            {aliases.map((alias) => (
              <option key={alias} value={alias}>
                {alias}
              </option>
            ))}
          </select>
        ) : (
          <>
            <input className={formStyles.input} required list={list} autoComplete="off" value={row.model} onChange={(event) => onChange({ model: event.target.value })} />
            <datalist id={list}>
              {known.map((model) => (
                <option key={model} value={model} />
              ))}
            </datalist>
          </>
        )}
      </label>
    </>
  )
}
