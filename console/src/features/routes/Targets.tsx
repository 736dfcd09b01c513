import type { Schema } from '@/api/types'
import { useFormat } from '@/i18n/format'
import { Badge, type Tone } from '@/ui/Badge'
import type { Health } from './health'
import { useMessages } from './messages'
import styles from './Targets.module.css'
import { nameOf, rowsOf, sharesOf, stepsOf } from './targets'

const TONES: Record<Health['state'], Tone> = { works: 'success', unsteady: 'warning', fails: 'danger' }

/** The targets of a route by their steps, each with how its latest calls went. */
export function Targets({ route, health }: { route: Schema<'ModelRouteView'>; health: Map<string, Health> | null }) {
  const t = useMessages()
  const f = useFormat()
  const rows = rowsOf(route.targets)
  const steps = stepsOf(rows)
  const shares = sharesOf(rows)
  return (
    <ol className={styles.targets}>
      {rows.map((row, index) => {
        const name = nameOf(row)
        const of = health?.get(name)
        const share = shares[index] ?? null
        return (
          <li key={row.key} className={styles.target}>
            <span className={styles.step} title={t.step((steps[index] ?? 0) + 1)}>
              {(steps[index] ?? 0) + 1}
            </span>
            <span className={styles.name}>{row.route ? t.routeAs(name) : <code>{name}</code>}</span>
            {share !== null && <span className={styles.share}>{share === 0 ? t.onlyAfter : f.percent(share)}</span>}
            {health && !row.route && (
              <span title={of ? `${t.healthHelp(of.failures, of.attempts)}${of.lastError ? `: ${of.lastError}` : ''}` : undefined}>
                <Badge tone={of ? TONES[of.state] : 'neutral'}>{of ? t.health[of.state] : t.health.unknown}</Badge>
              </span>
            )}
          </li>
        )
      })}
    </ol>
  )
}
