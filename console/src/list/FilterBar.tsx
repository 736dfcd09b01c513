import { useEffect, useRef, useState } from 'react'
import styles from './list.module.css'
import { useListMessages } from './messages'
import { type SearchState, useSearchState } from './search'

/** A query parameter of a list that people may set. */
export interface Filter {
  name: string
  label: string
  /** Its values to choose from; without them it is a text. */
  options?: { value: string; label: string }[]
}

/** The filters that the URL sets. */
export function filledFilters(filters: Filter[], search: SearchState): SearchState {
  return Object.fromEntries(filters.flatMap(({ name }) => (search[name] ? [[name, search[name]]] : [])))
}

/** The fields of filters. A text takes effect when it hasn't changed for a moment. */
export function FilterBar({ filters }: { filters: Filter[] }) {
  const t = useListMessages()
  const [search, setSearch] = useSearchState()
  const change = (name: string, value: string) => setSearch({ [name]: value || undefined, cursor: undefined })
  return filters.map((filter) =>
    filter.options ? (
      <select key={filter.name} className={styles.filter} aria-label={filter.label} value={search[filter.name] ?? ''} onChange={(event) => change(filter.name, event.target.value)}>
        <option value="">
          {filter.label}: {t.any}
        </option>
        {filter.options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.label}
          </option>
        ))}
      </select>
    ) : (
      <TextFilter key={filter.name} label={filter.label} value={search[filter.name] ?? ''} onChange={(value) => change(filter.name, value)} />
    ),
  )
}

const PAUSE_MS = 350

function TextFilter({ label, value, onChange }: { label: string; value: string; onChange: (value: string) => void }) {
  const [text, setText] = useState(value)
  // Only what came by another way is taken over: what is written here may go on meanwhile.
  const sent = useRef(value)
  useEffect(() => {
    if (value !== sent.current) setText(value)
    sent.current = value
  }, [value])
  useEffect(() => {
    if (text.trim() === value) return
    const timer = setTimeout(() => {
      sent.current = text.trim()
      onChange(sent.current)
    }, PAUSE_MS)
    return () => clearTimeout(timer)
  }, [text])
  return <input type="search" className={styles.filter} aria-label={label} placeholder={label} value={text} onChange={(event) => setText(event.target.value)} onKeyDown={(event) => event.key === 'Enter' && onChange(text.trim())} />
}
