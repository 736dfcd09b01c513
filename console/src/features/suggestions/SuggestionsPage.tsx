import { Link } from '@tanstack/react-router'
import { MoreHorizontal } from 'lucide-react'
import { useProjects } from '@/api/projects'
import { useCan, useSession } from '@/api/session'
import type { Schema } from '@/api/types'
import { useSuggestionTexts } from '@/findings/useFindingTexts'
import { useFormat } from '@/i18n/format'
import type { Column } from '@/list/DataTable'
import { ResourceList } from '@/list/ResourceList'
import { useSearchState } from '@/list/search'
import { IconButton } from '@/ui/Button'
import { Empty } from '@/ui/Feedback'
import { Menu } from '@/ui/Menu'
import { Page } from '@/ui/Page'
import { Time } from '@/ui/Time'
import { PriorityBadge, StatusBadge } from './badges'
import { MeasuredGain } from './Gain'
import { nextStatuses, plainTitle } from './measurement'
import { useMessages } from './messages'
import { SuggestionDialog } from './SuggestionDialog'
import styles from './suggestions.module.css'
import { useStatusChange } from './useStatusChange'

type Suggestion = Schema<'SuggestionView'>

const REFRESH_MS = 15_000

export default function SuggestionsPage() {
  const t = useMessages()
  const f = useFormat()
  const can = useCan()
  const { projectId } = useSession()
  const { nameOf } = useProjects()
  const [search, setSearch] = useSearchState()
  const { names, change } = useStatusChange()
  const textsOf = useSuggestionTexts()
  const columns: Column<Suggestion>[] = [
    {
      id: 'title',
      header: t.suggestion,
      cell: (row) => (
        <button type="button" className={styles.open} onClick={() => setSearch({ suggestion: row.id }, { push: true })}>
          {plainTitle(textsOf(row))}
        </button>
      ),
      value: (row) => textsOf(row).title,
    },
    { id: 'status', header: t.status, cell: (row) => <StatusBadge status={row.status} />, value: (row) => row.status },
    { id: 'priority', header: t.priority, cell: (row) => <PriorityBadge priority={row.priority} />, value: (row) => row.priority },
    { id: 'endpoint', header: t.endpoint, cell: (row) => row.endpoint, value: (row) => row.endpoint },
    { id: 'predicted', header: t.predicted, isNumeric: true, cell: (row) => f.percent(row.predicted_gain), value: (row) => row.predicted_gain },
    { id: 'measured', header: t.measured, isNumeric: true, cell: (row) => <MeasuredGain suggestion={row} />, value: (row) => row.measured_gain },
    { id: 'created', header: t.created, cell: (row) => <Time at={row.created_at} />, value: (row) => row.created_at },
    { id: 'project', header: t.project, isOptional: true, cell: (row) => nameOf(row.project_id), value: (row) => nameOf(row.project_id) },
    { id: 'version', header: t.version, isOptional: true, cell: (row) => row.version, value: (row) => row.version },
    { id: 'source', header: t.source, isOptional: true, cell: (row) => t.sources[row.source], value: (row) => row.source },
    { id: 'category', header: t.category, isOptional: true, cell: (row) => t.categories[row.category as keyof typeof t.categories] ?? row.category, value: (row) => row.category },
    { id: 'function', header: t.function, isOptional: true, cell: (row) => <code>{row.function}</code>, value: (row) => row.function },
  ]
  return (
    <Page title={t.title} description={t.description}>
      <ResourceList
        path="/api/v1/suggestions"
        label={t.title}
        columns={columns}
        filters={[
          { name: 'status', label: t.status, options: Object.entries(t.statuses).map(([value, label]) => ({ value, label })) },
          { name: 'source', label: t.source, options: Object.entries(t.sources).map(([value, label]) => ({ value, label })) },
          { name: 'endpoint', label: t.endpoint },
          { name: 'version', label: t.version },
        ]}
        query={{ project_id: search.project_id ?? projectId ?? undefined }}
        rowKey={(row) => row.id}
        refresh={REFRESH_MS}
        rowActions={
          can('suggestions:write')
            ? (row) => (
                <Menu
                  trigger={<IconButton label={t.actions(plainTitle(textsOf(row)))} icon={<MoreHorizontal size={16} />} />}
                  groups={[{ items: nextStatuses(row.status).map((status) => ({ label: names[status], onSelect: () => void change(row, status) })) }]}
                />
              )
            : undefined
        }
        empty={<Empty title={t.empty} action={<Link to="/connect">{t.connect}</Link>}>{t.emptyHint}</Empty>}
      />
      {search.suggestion && <SuggestionDialog id={search.suggestion} onClose={() => setSearch({ suggestion: undefined })} />}
    </Page>
  )
}
