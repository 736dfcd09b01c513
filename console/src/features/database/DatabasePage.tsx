import { useRead } from '@/api/hooks'
import type { Schema } from '@/api/types'
import { NONE, useFormat } from '@/i18n/format'
import { DataTable } from '@/list/DataTable'
import { Badge } from '@/ui/Badge'
import { Id } from '@/ui/Code'
import { Loaded } from '@/ui/Feedback'
import { Card, Figure, Grid, Page } from '@/ui/Page'
import { Time } from '@/ui/Time'
import { useMessages } from './messages'

const REFRESH_MS = 2_000

export default function DatabasePage() {
  const t = useMessages()
  const status = useRead('/api/v1/database', {}, { refresh: REFRESH_MS })
  return (
    <Page title={t.title} description={t.description}>
      <Loaded query={status} lines={12}>
        {(data) => <Status status={data} />}
      </Loaded>
    </Page>
  )
}

function Status({ status }: { status: Schema<'DatabaseStatus'> }) {
  const t = useMessages()
  const f = useFormat()
  const { containment, journal } = status
  const migrations = [...status.migrations.map(({ name, applied }) => ({ name, state: applied ? ('applied' as const) : ('notApplied' as const) })), ...status.unknown.map((name) => ({ name, state: 'notKnown' as const }))].reverse()
  return (
    <>
      <Card>
        <Grid min="10rem">
          <Figure name={t.backend} value={status.backend === 'sqlite' ? 'SQLite' : 'PostgreSQL'} note={status.version} />
          <Figure name={t.size} value={f.bytes(status.size_bytes)} />
          <Figure
            name={t.migrations}
            value={f.number(status.migrations.length)}
            note={status.unknown.length > 0 ? <Badge tone="danger">{t.unknown(status.unknown.length)}</Badge> : status.pending > 0 ? <Badge tone="warning">{t.pending(status.pending)}</Badge> : <Badge tone="success">{t.upToDate}</Badge>}
          />
          <Figure name={t.slow} value={f.number(status.slow_statements)} note={t.slowHelp} />
          {containment && <Figure name={t.containment} value={<Badge tone={containment.contained ? 'success' : 'warning'}>{containment.contained ? t.contained : t.notContained}</Badge>} note={containment.reason} />}
        </Grid>
      </Card>
      {journal && (
        <Card title={t.journal}>
          <p>{t.journalHelp}</p>
          <Grid min="10rem">
            <Figure name={t.undrained} value={f.bytes(journal.undrained_bytes)} />
            <Figure name={t.queued} value={f.bytes(journal.queued_bytes)} />
            <Figure name={t.segments} value={f.bytes(journal.segment_bytes)} />
          </Grid>
        </Card>
      )}
      <Grid min="26rem">
        <Card title={t.pools}>
          <DataTable
            label={t.pools}
            rows={status.pools}
            rowKey={(pool) => pool.name}
            columns={[
              { id: 'name', header: t.pool, cell: (pool) => t.poolNames[pool.name] ?? pool.name },
              { id: 'busy', header: t.busy, isNumeric: true, cell: (pool) => f.number(pool.open - pool.idle) },
              { id: 'idle', header: t.idle, isNumeric: true, cell: (pool) => f.number(pool.idle) },
              { id: 'open', header: t.open, isNumeric: true, cell: (pool) => f.number(pool.open) },
              { id: 'max', header: t.max, isNumeric: true, cell: (pool) => f.number(pool.max) },
            ]}
          />
        </Card>
        <Card title={t.nodes}>
          <DataTable
            label={t.nodes}
            rows={status.nodes}
            rowKey={(node) => node.node_id}
            columns={[
              { id: 'node', header: t.node, cell: (node) => <Id id={node.node_id} /> },
              { id: 'position', header: t.position, isNumeric: true, cell: (node) => f.number(node.position) },
              { id: 'progress', header: t.progress, cell: (node) => <Time at={node.updated_at} /> },
            ]}
          />
        </Card>
      </Grid>
      <Card title={t.partitions}>
        <DataTable
          label={t.partitions}
          rows={status.partitions}
          rowKey={(part) => part.partition ?? part.table}
          columns={[
            { id: 'table', header: t.table, cell: (part) => <code>{part.table}</code> },
            ...(status.partitions.some((part) => part.partition) ? [{ id: 'partition', header: t.partition, cell: (part: Schema<'PartitionStatus'>) => <code>{part.partition}</code> }] : []),
            { id: 'rows', header: t.rows, isNumeric: true, cell: (part) => f.number(part.rows) },
            ...(status.partitions.some((part) => part.bytes !== null) ? [{ id: 'bytes', header: t.bytes, isNumeric: true, cell: (part: Schema<'PartitionStatus'>) => (part.bytes === null ? NONE : f.bytes(part.bytes)) }] : []),
          ]}
        />
      </Card>
      <Card title={t.migrations}>
        <DataTable
          label={t.migrations}
          rows={migrations}
          rowKey={(migration) => migration.name}
          columns={[
            { id: 'name', header: t.migration, cell: (migration) => <code>{migration.name}</code> },
            { id: 'state', header: t.state, cell: (migration) => <Badge tone={migration.state === 'applied' ? 'success' : migration.state === 'notApplied' ? 'warning' : 'danger'}>{t[migration.state]}</Badge> },
          ]}
        />
      </Card>
    </>
  )
}
