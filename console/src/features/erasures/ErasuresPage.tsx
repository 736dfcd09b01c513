import { Eraser } from 'lucide-react'
import { useCan } from '@/api/session'
import type { Schema } from '@/api/types'
import type { Column } from '@/list/DataTable'
import { Actor } from '@/list/Names'
import { ResourceList } from '@/list/ResourceList'
import { useSearchState } from '@/list/search'
import { Button } from '@/ui/Button'
import { Empty } from '@/ui/Feedback'
import { Page } from '@/ui/Page'
import { Time } from '@/ui/Time'
import { EraseDialog } from './EraseDialog'
import { useMessages } from './messages'
import { StateBadge } from './StateBadge'
import { subjectName } from './subject'

const REFRESH_MS = 5_000

export default function ErasuresPage() {
  const t = useMessages()
  const can = useCan()
  const [search, setSearch] = useSearchState()
  const columns: Column<Schema<'ErasureView'>>[] = [
    { id: 'requested', header: t.requested, cell: (row) => <Time at={row.created_at} />, value: (row) => row.created_at },
    { id: 'type', header: t.subjectType, cell: (row) => t.types[row.subject_type], value: (row) => row.subject_type },
    { id: 'subject', header: t.subject, cell: (row) => <code title={row.subject_id ?? row.subject_digest}>{subjectName(row)}</code>, value: (row) => row.subject_id ?? row.subject_digest },
    { id: 'state', header: t.state, cell: (row) => <StateBadge state={row.state} />, value: (row) => row.state },
    { id: 'actor', header: t.actor, cell: (row) => <Actor actor={row.actor} />, value: (row) => row.actor },
    { id: 'completed', header: t.completed, cell: (row) => <Time at={row.completed_at} />, value: (row) => row.completed_at },
  ]
  const options = (names: Record<string, string>) => Object.entries(names).map(([value, label]) => ({ value, label }))
  const begin = can('erasures:write') && (
    <Button look="danger" icon={<Eraser size={16} />} onClick={() => setSearch({ erase: '1' })}>
      {t.erase}
    </Button>
  )
  return (
    <Page title={t.title} description={t.description} actions={begin}>
      <ResourceList
        path="/api/v1/erasures"
        label={t.title}
        columns={columns}
        filters={[
          { name: 'state', label: t.state, options: options(t.states) },
          { name: 'subject_type', label: t.subjectType, options: options(t.types) },
        ]}
        rowKey={(row) => row.id}
        rowLink={(row) => `/erasures/${row.id}`}
        refresh={REFRESH_MS}
        empty={<Empty title={t.empty} command="loam erasure create --tenant default end_user bob-1">{t.emptyHint}</Empty>}
      />
      {/* Pages of users and conversations lead here with a subject: ?erase=1&type=user&id=… */}
      {search.erase && begin && <EraseDialog type={search.type} id={search.id} onClose={() => setSearch({ erase: undefined, type: undefined, id: undefined })} />}
    </Page>
  )
}
