import { ArrowLeftRight } from 'lucide-react'
import { useRead } from '@/api/hooks'
import type { Schema } from '@/api/types'
import { useFormat } from '@/i18n/format'
import { ProjectFilter, useProject } from '@/list/ProjectFilter'
import { useSearchState } from '@/list/search'
import { useTimeRange } from '@/list/time'
import { TimeRangePicker } from '@/list/TimeRangePicker'
import { IconButton } from '@/ui/Button'
import { Empty, Loaded } from '@/ui/Feedback'
import { Page } from '@/ui/Page'
import { Comparison } from './Comparison'
import { NoRequests } from './EndpointsPage'
import { useMessages } from './messages'
import styles from './statistics.module.css'

export default function VersionsPage() {
  const t = useMessages()
  const { projectId, isLoading } = useProject()
  const versions = useRead('/api/v1/versions', { query: { project_id: projectId ?? '' } }, { enabled: projectId !== null })
  return (
    <Page title={t.versions} description={t.versionsHelp}>
      {!projectId && !isLoading ? (
        <NoRequests />
      ) : (
        <Loaded query={versions}>
          {({ data }) => <Choice projectId={projectId ?? ''} versions={data.filter(({ version }) => version !== '')} />}
        </Loaded>
      )}
    </Page>
  )
}

function Choice({ projectId, versions }: { projectId: string; versions: Schema<'Version'>[] }) {
  const t = useMessages()
  const f = useFormat()
  const [search, setSearch] = useSearchState()
  const range = useTimeRange('30d')
  // The newest version by its first request, and the one before.
  const byAge = [...versions].sort((a, b) => b.first_seen.localeCompare(a.first_seen))
  const after = search.version ?? byAge[0]?.version ?? ''
  const base = search.base ?? byAge.find(({ version }) => version !== after)?.version ?? ''
  const isReady = base !== '' && after !== ''
  const comparison = useRead(
    '/api/v1/comparisons',
    { query: { project_id: projectId, base_version: base, version: after, endpoint: search.endpoint, from: range.from?.toISOString(), to: range.to?.toISOString() } },
    { enabled: isReady },
  )
  const select = (label: string, name: string, value: string) => (
    <label className={styles.choice}>
      {label}
      <select className={styles.select} value={value} onChange={(event) => setSearch({ [name]: event.target.value })}>
        {!byAge.some(({ version }) => version === value) && <option value={value}>{value}</option>}
        {byAge.map(({ version, requests }) => (
          <option key={version} value={version}>
            {t.versionName(version, f.compact(requests))}
          </option>
        ))}
      </select>
    </label>
  )
  return (
    <>
      <div className={styles.choices}>
        <ProjectFilter />
        {isReady && (
          <>
            {select(t.base, 'base', base)}
            <IconButton label={t.swap} icon={<ArrowLeftRight size={16} />} onClick={() => setSearch({ base: after, version: base })} />
            {select(t.after, 'version', after)}
            <TimeRangePicker fallback="30d" />
          </>
        )}
      </div>
      {isReady ? <Loaded query={comparison} lines={8}>{(data) => <Comparison comparison={data} />}</Loaded> : <Empty title={t.fewVersions}>{t.fewVersionsHint}</Empty>}
    </>
  )
}
