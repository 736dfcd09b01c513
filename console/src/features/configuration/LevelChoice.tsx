import { useId } from 'react'
import { useSearchState } from '@/list/search'
import styles from './configuration.module.css'
import { useLevel } from './level'
import { useMessages } from './messages'

/** Operators choose between the values of the instance and those of their tenant. */
export function LevelChoice() {
  const t = useMessages()
  const { level, isChoice } = useLevel()
  const [, setSearch] = useSearchState()
  const id = useId()
  if (!isChoice) return null
  return (
    <span className={styles.level}>
      <label htmlFor={id}>{t.level}</label>
      <select id={id} value={level} onChange={(event) => setSearch({ level: event.target.value === 'tenant' ? 'tenant' : undefined, cursor: undefined, selected: undefined })}>
        <option value="global">{t.levels.global}</option>
        <option value="tenant">{t.levels.tenant}</option>
      </select>
    </span>
  )
}
