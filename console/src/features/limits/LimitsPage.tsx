import { Plus } from 'lucide-react'
import { useChange, useRead } from '@/api/hooks'
import { useCan } from '@/api/session'
import type { Schema } from '@/api/types'
import { FormDialog } from '@/form/FormDialog'
import { shortId, useFormat } from '@/i18n/format'
import { useWords } from '@/i18n/words'
import type { Column } from '@/list/DataTable'
import { useDialog } from '@/list/dialog'
import { ResourceList } from '@/list/ResourceList'
import { Badge } from '@/ui/Badge'
import { Button } from '@/ui/Button'
import { ConfirmDialog } from '@/ui/Dialog'
import { Empty } from '@/ui/Feedback'
import { Meter } from '@/ui/Meter'
import { Page } from '@/ui/Page'
import { RowMenu } from '@/ui/RowMenu'
import { Time } from '@/ui/Time'
import { useLimitFields } from './fields'
import { useMessages } from './messages'
import { MEASURES, type Measure, usesOf } from './uses'

type Limit = Schema<'LimitView'>

const REFRESH_MS = 5_000

export default function LimitsPage() {
  const t = useMessages()
  const w = useWords()
  const f = useFormat()
  const can = useCan()
  const fields = useLimitFields()
  const [dialog, open, close] = useDialog<'new' | 'edit' | 'delete'>()
  const chosen = useRead('/api/v1/limits/{id}', { params: { id: dialog.id } }, { enabled: dialog.id !== '' })
  const limit = chosen.data?.id === dialog.id ? chosen.data : undefined
  const create = useChange('post', '/api/v1/limits', ['/api/v1/limits'])
  const update = useChange('patch', '/api/v1/limits/{id}', ['/api/v1/limits'])
  const remove = useChange('delete', '/api/v1/limits/{id}', ['/api/v1/limits'])
  const canWrite = can('limits:write')
  const nameOf = (each: Limit) => {
    const name = each.subject_name ?? shortId(each.subject_id)
    return each.subject_type === 'end_user' ? t.endUsersOf(name) : name
  }
  const amount = (measure: Measure, value: number) => (measure.startsWith('budget') ? f.money(value) : f.number(value))
  function use(each: Limit, measure: Measure) {
    const found = usesOf(each).find((one) => one.measure === measure)
    if (!found) return ''
    const most = amount(measure, found.limit)
    if (found.used === null) return t.upTo(most)
    return <Meter label={`${nameOf(each)}: ${t[measure]}`} share={found.limit > 0 ? found.used / found.limit : 1} text={t.usedOf(amount(measure, found.used), most)} />
  }
  const columns: Column<Limit>[] = [
    { id: 'subject', header: t.subject, cell: (each) => nameOf(each), value: (each) => nameOf(each) },
    { id: 'type', header: t.type, cell: (each) => <Badge>{t.types[each.subject_type]}</Badge>, value: (each) => each.subject_type },
    ...MEASURES.map((measure) => ({ id: measure, header: t[measure], cell: (each: Limit) => use(each, measure), value: (each: Limit) => each[measure] })),
    { id: 'concurrency', header: t.concurrency, isNumeric: true, cell: (each) => each.concurrency ?? '', value: (each) => each.concurrency },
    { id: 'updated', header: w.updated, isOptional: true, cell: (each) => <Time at={each.updated_at} />, value: (each) => each.updated_at },
  ]
  return (
    <Page
      title={t.title}
      description={t.description}
      actions={
        canWrite && (
          <Button look="primary" icon={<Plus size={16} />} onClick={() => open('new')}>
            {t.add}
          </Button>
        )
      }
    >
      <ResourceList
        path="/api/v1/limits"
        label={t.title}
        columns={columns}
        filters={[{ name: 'subject_type', label: t.type, options: Object.entries(t.types).map(([value, label]) => ({ value, label })) }]}
        rowKey={(each) => each.id}
        refresh={REFRESH_MS}
        rowActions={(each) =>
          canWrite && (
            <RowMenu
              name={nameOf(each)}
              items={[
                { label: w.edit, onSelect: () => open('edit', each.id) },
                { label: w.delete, isDangerous: true, onSelect: () => open('delete', each.id) },
              ]}
            />
          )
        }
        empty={
          <Empty title={t.empty} command="loam limit create --for api_key --id ID --budget-per-day 5">
            {t.emptyHint}
          </Empty>
        }
      />
      {dialog.name === 'new' && canWrite && <FormDialog title={t.newTitle} fields={fields.ofNew} onClose={close} onSubmit={(body) => create.mutateAsync({ body: body as Schema<'LimitCreate'> })} />}
      {dialog.name === 'edit' && canWrite && limit && (
        <FormDialog title={t.editTitle(nameOf(limit))} fields={fields.amounts} existing={limit} onClose={close} onSubmit={(body, ifMatch) => update.mutateAsync({ params: { id: limit.id }, body, ifMatch })} />
      )}
      {limit && (
        <ConfirmDialog
          title={t.deleteTitle(nameOf(limit))}
          description={t.deleteHint}
          action={w.delete}
          isOpen={dialog.name === 'delete' && canWrite}
          onClose={close}
          onConfirm={() => remove.mutateAsync({ params: { id: limit.id } })}
        />
      )}
    </Page>
  )
}
