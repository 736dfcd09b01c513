import type { Schema } from '@/api/types'
import { shortId, useFormat } from '@/i18n/format'
import type { Column } from '@/list/DataTable'
import { ResourceList } from '@/list/ResourceList'
import { Empty } from '@/ui/Feedback'
import { Page } from '@/ui/Page'
import { Time } from '@/ui/Time'
import { bytesOf } from './frame'
import { useMessages } from './messages'

const REFRESH_MS = 10_000

export default function QuarantinePage() {
  const t = useMessages()
  const f = useFormat()
  const columns: Column<Schema<'QuarantineView'>>[] = [
    { id: 'time', header: t.time, cell: (row) => <Time at={row.created_at} />, value: (row) => row.created_at },
    { id: 'kind', header: t.kind, cell: (row) => t.kinds[row.kind] ?? t.otherKind(row.kind), value: (row) => row.kind },
    { id: 'reason', header: t.reason, cell: (row) => <span title={row.reason}>{row.reason}</span>, value: (row) => row.reason },
    { id: 'size', header: t.size, isNumeric: true, cell: (row) => f.bytes(bytesOf(row.frame).length), value: (row) => bytesOf(row.frame).length },
    { id: 'node', header: t.node, cell: (row) => <code title={row.node_id}>{shortId(row.node_id)}</code>, value: (row) => row.node_id },
    { id: 'position', header: t.position, isNumeric: true, isOptional: true, cell: (row) => f.number(row.position), value: (row) => row.position },
  ]
  return (
    <Page title={t.title} description={t.description}>
      <ResourceList
        path="/api/v1/journal_quarantine"
        label={t.title}
        columns={columns}
        rowKey={(row) => row.id}
        rowLink={(row) => `/quarantine/${row.id}`}
        refresh={REFRESH_MS}
        empty={<Empty title={t.empty}>{t.emptyHint}</Empty>}
      />
    </Page>
  )
}
