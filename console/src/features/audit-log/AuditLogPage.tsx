import { Download, ShieldCheck } from 'lucide-react'
import { useState } from 'react'
import type { ApiError } from '@/api/request'
import type { Schema } from '@/api/types'
import type { Column } from '@/list/DataTable'
import { download } from '@/list/download'
import type { Filter } from '@/list/FilterBar'
import { Actor } from '@/list/Names'
import { ResourceList } from '@/list/ResourceList'
import { Button } from '@/ui/Button'
import { Empty } from '@/ui/Feedback'
import { Page } from '@/ui/Page'
import { Time } from '@/ui/Time'
import { notify } from '@/ui/Toasts'
import { useMessages } from './messages'
import { VerifyDialog } from './VerifyDialog'
import { shortId } from '@/i18n/format'

type Change = Schema<'AuditLogView'>

const REFRESH_MS = 10_000

export default function AuditLogPage() {
  const t = useMessages()
  const [isVerifying, setVerifying] = useState(false)
  const [isExporting, setExporting] = useState(false)
  const columns: Column<Change>[] = [
    { id: 'time', header: t.time, cell: (row) => <Time at={row.created_at} />, value: (row) => row.created_at },
    { id: 'actor', header: t.actor, cell: (row) => <Actor actor={row.actor} />, value: (row) => row.actor },
    { id: 'action', header: t.action, cell: (row) => t.actions[row.action] ?? row.action, value: (row) => row.action },
    { id: 'resource', header: t.resource, cell: (row) => <code title={row.resource_id}>{row.resource_type} {row.resource_id.length > 30 ? shortId(row.resource_id) : row.resource_id}</code>, value: (row) => `${row.resource_type} ${row.resource_id}` },
    { id: 'fields', header: t.fields, cell: (row) => (row.erased_at ? t.erased : fieldNames(row.changes)), value: (row) => fieldNames(row.changes) },
    { id: 'sequence', header: t.sequence, isNumeric: true, cell: (row) => row.sequence, value: (row) => row.sequence },
    { id: 'address', header: t.address, isOptional: true, cell: (row) => row.ip_address ?? '', value: (row) => row.ip_address },
    { id: 'userAgent', header: t.userAgent, isOptional: true, cell: (row) => row.user_agent ?? '', value: (row) => row.user_agent },
    { id: 'request', header: t.requestId, isOptional: true, cell: (row) => <code>{row.request_id}</code>, value: (row) => row.request_id },
  ]
  const filters: Filter[] = [
    { name: 'actor', label: t.actorHint },
    { name: 'action', label: t.action, options: Object.entries(t.actions).map(([value, label]) => ({ value, label })) },
    { name: 'resource_type', label: t.resourceType },
    { name: 'resource_id', label: t.resourceId },
  ]
  async function exportChain() {
    setExporting(true)
    try {
      await download('/api/v1/audit_logs/export', 'audit.jsonl')
    } catch (error) {
      notify((error as ApiError).message)
    } finally {
      setExporting(false)
    }
  }
  return (
    <Page
      title={t.title}
      description={t.description}
      actions={
        <>
          <Button icon={<Download size={16} />} isBusy={isExporting} onClick={() => void exportChain()}>
            {isExporting ? t.exporting : t.export}
          </Button>
          <Button look="primary" icon={<ShieldCheck size={16} />} onClick={() => setVerifying(true)}>
            {t.verify}
          </Button>
        </>
      }
    >
      <ResourceList
        path="/api/v1/audit_logs"
        label={t.title}
        columns={columns}
        filters={filters}
        timeParameters={['created_after', 'created_before']}
        rowKey={(row) => row.id}
        rowLink={(row) => `/audit-log/${row.id}`}
        refresh={REFRESH_MS}
        empty={<Empty title={t.empty} command="loam audit verify">{t.emptyHint}</Empty>}
      />
      {isVerifying && <VerifyDialog onClose={() => setVerifying(false)} />}
    </Page>
  )
}

function fieldNames(changes: unknown): string {
  return typeof changes === 'object' && changes !== null ? Object.keys(changes).join(', ') : ''
}
