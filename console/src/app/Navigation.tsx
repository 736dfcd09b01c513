import { Link, useLocation } from '@tanstack/react-router'
import { useCan, useSession } from '@/api/session'
import type { NavigationEntry, Section } from '@/feature'
import { features } from '@/features'
import { useLanguage } from '@/i18n/language'
import { useAppMessages } from './messages'
import styles from './Navigation.module.css'

const SECTIONS: Section[] = ['work', 'insight', 'models', 'access', 'system']

/** The entries that the caller may open, by section. */
export function useNavigation(): { section: Section; entries: NavigationEntry[] }[] {
  const can = useCan()
  const { session } = useSession()
  const allowed = features
    .flatMap((feature) => feature.navigation ?? [])
    .filter((entry) => can(entry.permission) && (!entry.isForOperators || session.operator))
    .sort((a, b) => a.order - b.order)
  return SECTIONS.map((section) => ({ section, entries: allowed.filter((entry) => entry.section === section) })).filter(({ entries }) => entries.length > 0)
}

/** `onFollow` is called when a link is followed, also to the page that is shown. */
export function Navigation({ onFollow }: { onFollow?: () => void }) {
  const t = useAppMessages()
  const language = useLanguage()
  const { pathname } = useLocation()
  return (
    <nav aria-label={t.navigation} className={styles.navigation}>
      {useNavigation().map(({ section, entries }) => (
        <div key={section}>
          {t.sections[section] && <h2 className={styles.heading}>{t.sections[section]}</h2>}
          <ul className={styles.entries}>
            {entries.map((entry) => {
              const isCurrent = entry.path === '/' ? pathname === '/' : pathname === entry.path || pathname.startsWith(`${entry.path}/`)
              return (
                <li key={entry.path}>
                  <Link to={entry.path} className={styles.entry} aria-current={isCurrent ? 'page' : undefined} onClick={onFollow}>
                    {entry.label[language]}
                  </Link>
                </li>
              )
            })}
          </ul>
        </div>
      ))}
    </nav>
  )
}
