import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { type KeyboardEvent, useEffect, useId, useState } from 'react'
import { useCan } from '@/api/session'
import type { Found } from '@/feature'
import { features } from '@/features'
import { useLanguage } from '@/i18n/language'
import { classes } from '@/ui/classes'
import { Dialog } from '@/ui/Dialog'
import { useAppMessages } from './messages'
import { useNavigation } from './Navigation'
import styles from './Palette.module.css'

const PAUSE_MS = 200
const SHORTEST = 2

/** Goes to any page, and finds things by id or name. */
export function Palette({ onClose }: { onClose: () => void }) {
  const t = useAppMessages()
  const language = useLanguage()
  const can = useCan()
  const navigate = useNavigate()
  const id = useId()
  const [text, setText] = useState('')
  const [searched, setSearched] = useState('')
  const [active, setActive] = useState(0)
  useEffect(() => {
    const timer = setTimeout(() => setSearched(text.trim()), PAUSE_MS)
    return () => clearTimeout(timer)
  }, [text])
  const finders = features.flatMap((feature) => feature.finders ?? []).filter((finder) => can(finder.permission))
  const found = useQuery({
    queryKey: ['palette', searched],
    enabled: searched.length >= SHORTEST,
    queryFn: async () => (await Promise.all(finders.map((finder) => finder.find(searched).catch(() => [])))).flat(),
  })
  const wanted = text.trim().toLowerCase()
  const pages: Found[] = useNavigation().flatMap(({ section, entries }) =>
    entries
      .filter(({ label }) => !wanted || label.en.toLowerCase().includes(wanted) || label.zh.includes(wanted))
      .map((entry) => ({ label: entry.label[language], kind: { en: t.sections[section], zh: t.sections[section] }, path: entry.path })),
  )
  const results = [...(searched.length >= SHORTEST ? (found.data ?? []) : []), ...pages]
  const current = Math.min(active, results.length - 1)

  function open(result: Found | undefined) {
    if (!result) return
    onClose()
    const [path = '/', query] = result.path.split('?')
    void navigate({ to: path, search: Object.fromEntries(new URLSearchParams(query)) } as never)
  }
  function onKey(event: KeyboardEvent) {
    if (event.key === 'ArrowDown') setActive((current + 1) % Math.max(results.length, 1))
    else if (event.key === 'ArrowUp') setActive((current - 1 + results.length) % Math.max(results.length, 1))
    else if (event.key === 'Enter' && !event.nativeEvent.isComposing) open(results[current])
    else return
    event.preventDefault()
  }

  return (
    <Dialog title={t.search} isOpen onClose={onClose}>
      <input
        className={styles.input}
        autoFocus
        role="combobox"
        aria-expanded
        aria-controls={id}
        aria-activedescendant={results[current] ? `${id}-${current}` : undefined}
        aria-label={t.searchHint}
        placeholder={t.searchHint}
        value={text}
        onChange={(event) => {
          setText(event.target.value)
          setActive(0)
        }}
        onKeyDown={onKey}
      />
      <div id={id} role="listbox" aria-label={t.search} className={styles.results}>
        {results.map((result, index) => (
          <div
            key={`${result.path} ${result.label}`}
            id={`${id}-${index}`}
            role="option"
            aria-selected={index === current}
            className={classes(styles.result, index === current && styles.active)}
            ref={index === current ? (element) => void element?.scrollIntoView({ block: 'nearest' }) : undefined}
            onClick={() => open(result)}
          >
            <span className={styles.label}>{result.label}</span>
            <span className={styles.kind}>{result.kind[language]}</span>
          </div>
        ))}
      </div>
      <p className={styles.note} role="status">
        {found.isFetching ? t.searching : results.length === 0 ? t.noResults : ''}
      </p>
    </Dialog>
  )
}
