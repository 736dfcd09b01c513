import { Download } from 'lucide-react'
import type { ReactNode } from 'react'
import { useRead } from '@/api/hooks'
import { useFormat } from '@/i18n/format'
import { ProjectFilter, useProject } from '@/list/ProjectFilter'
import { useSearchState } from '@/list/search'
import { useTimeRange } from '@/list/time'
import { TimeRangePicker } from '@/list/TimeRangePicker'
import { IconButton } from '@/ui/Button'
import { useMessages } from './messages'
import styles from './statistics.module.css'

/** What statistics are asked for: project, version and time range of the URL. */
export function useStatisticsQuery() {
  const [search] = useSearchState()
  const { projectId, isLoading } = useProject()
  const range = useTimeRange('24h')
  return {
    isReady: projectId !== null,
    isLoading,
    query: { project_id: projectId ?? '', version: search.version, from: range.from?.toISOString(), to: range.to?.toISOString() },
  }
}

interface ToolbarProps {
  orders: Record<string, string>
  onExport?: () => void
  children?: ReactNode
}

/** The choices above a ranking. */
export function Toolbar({ orders, onExport }: ToolbarProps) {
  const t = useMessages()
  const f = useFormat()
  const [search, setSearch] = useSearchState()
  const { projectId } = useProject()
  const versions = useRead('/api/v1/versions', { query: { project_id: projectId ?? '' } }, { enabled: projectId !== null })
  return (
    <div className={styles.toolbar}>
      <ProjectFilter />
      <select className={styles.select} aria-label={t.order} value={search.order ?? Object.keys(orders)[0]} onChange={(event) => setSearch({ order: event.target.value })}>
        {Object.entries(orders).map(([value, label]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
      <select className={styles.select} aria-label={t.version} value={search.version ?? ''} onChange={(event) => setSearch({ version: event.target.value || undefined })}>
        <option value="">{t.anyVersion}</option>
        {versions.data?.data
          .filter(({ version }) => version !== '')
          .map(({ version, requests }) => (
            <option key={version} value={version}>
              {t.versionName(version, f.compact(requests))}
            </option>
          ))}
      </select>
      <TimeRangePicker fallback="24h" />
      <span className={styles.space} />
      {onExport && <IconButton label={t.asCsv} icon={<Download size={16} />} onClick={onExport} />}
    </div>
  )
}
