import { useMemo } from 'react'
import { useFlameMessages } from '@/flame/messages'
import { KINDS, labelOf } from '@/flame/tree'
import { useFormat } from '@/i18n/format'
import { type Column, DataTable } from '@/list/DataTable'
import { Button } from '@/ui/Button'
import { Card, Grid } from '@/ui/Page'
import { type Calls, exceptionsOf, largestOf, type Operation, operationsOf } from './calls'
import { useMessages } from './messages'
import styles from './records.module.css'

interface OperationsProps {
  calls: Calls
  selected: string | undefined
  onSelect: (select: string) => void
  onFocus: (call: number) => void
}

const MAX_ROWS = 20

/** Queries, cache accesses and other operations by statement, memory, and exceptions. */
export function Operations({ calls, selected, onSelect, onFocus }: OperationsProps) {
  const t = useMessages()
  const flame = useFlameMessages()
  const f = useFormat()
  const groups = useMemo(() => KINDS.filter((kind) => kind !== 'function' && kind !== 'request').map((kind) => ({ kind, operations: operationsOf(calls, kind) })).filter(({ operations }) => operations.length > 0), [calls])
  const exceptions = useMemo(() => exceptionsOf(calls), [calls])
  const largest = useMemo(() => largestOf(calls, 10), [calls])
  const ms = (seconds: number) => f.duration(seconds * 1000)
  const callButton = (call: number) => (
    <Button look="plain" className={styles.statement} onClick={() => onFocus(call)}>
      <code>{labelOf(calls, call).name}</code>
    </Button>
  )
  return (
    <>
      {groups.map(({ kind, operations }) => {
        const columns: Column<{ operation: Operation; at: number }>[] = [
          {
            id: 'statement',
            header: t.subjects[kind],
            cell: ({ operation, at }) => (
              <Button look="plain" className={styles.statement} aria-pressed={selected === `${kind}:${at}`} onClick={() => onSelect(`${kind}:${at}`)}>
                <code>{operation.statement}</code>
              </Button>
            ),
          },
          { id: 'count', header: t.count, isNumeric: true, cell: ({ operation }) => f.number(operation.indexes.length) },
          { id: 'total', header: t.duration, isNumeric: true, cell: ({ operation }) => ms(operation.total) },
          { id: 'mean', header: t.mean, isNumeric: true, cell: ({ operation }) => ms(operation.total / operation.indexes.length) },
          { id: 'longest', header: t.longest, isNumeric: true, cell: ({ operation }) => ms(operation.longest) },
          ...(kind === 'database' ? [{ id: 'rows', header: t.rows, isNumeric: true, cell: ({ operation }: { operation: Operation }) => f.number(operation.rows) }] : []),
          ...(kind === 'cache' ? [{ id: 'hits', header: t.hitRate, isNumeric: true, cell: ({ operation }: { operation: Operation }) => f.percent(operation.hitRate) }] : []),
          { id: 'errors', header: t.exceptions, isNumeric: true, cell: ({ operation }) => (operation.errors > 0 ? f.number(operation.errors) : '') },
        ]
        return (
          <Card key={kind} title={t.operations[kind]}>
            <DataTable label={t.operations[kind]} columns={columns} rows={operations.slice(0, MAX_ROWS).map((operation, at) => ({ operation, at }))} rowKey={({ at }) => String(at)} />
          </Card>
        )
      })}
      {(exceptions.length > 0 || largest.length > 0) && (
        <Grid min="26rem">
          {exceptions.length > 0 && (
            <Card title={t.exceptions}>
              <DataTable
                label={t.exceptions}
                columns={[
                  { id: 'call', header: flame.call, cell: (raised) => callButton(raised.first) },
                  { id: 'exception', header: t.exception, cell: (raised) => raised.exception },
                  { id: 'count', header: t.count, isNumeric: true, cell: (raised) => f.number(raised.count) },
                ]}
                rows={exceptions.slice(0, MAX_ROWS)}
                rowKey={(raised) => String(raised.first)}
              />
            </Card>
          )}
          {largest.length > 0 && (
            <Card title={t.memory}>
              <DataTable
                label={t.memoryOf}
                columns={[
                  { id: 'call', header: t.memoryOf, cell: callButton },
                  { id: 'memory', header: t.memoryDelta, isNumeric: true, cell: (call: number) => f.bytes(calls.memory[call]) },
                ]}
                rows={largest}
                rowKey={String}
              />
            </Card>
          )}
        </Grid>
      )}
    </>
  )
}
