import { Plus } from 'lucide-react'
import { useChange, useRead } from '@/api/hooks'
import { useProviderNames } from '@/api/names'
import { useCan } from '@/api/session'
import type { Schema } from '@/api/types'
import type { Field } from '@/form/field'
import { FormDialog } from '@/form/FormDialog'
import { useFormat } from '@/i18n/format'
import { useWords } from '@/i18n/words'
import type { Column } from '@/list/DataTable'
import { useDialog } from '@/list/dialog'
import { useSearchState } from '@/list/search'
import { ResourceList } from '@/list/ResourceList'
import { Button } from '@/ui/Button'
import { ConfirmDialog } from '@/ui/Dialog'
import { Empty } from '@/ui/Feedback'
import { Page } from '@/ui/Page'
import { RowMenu } from '@/ui/RowMenu'
import { Time } from '@/ui/Time'
import { useMessages } from './messages'

type Price = Schema<'ModelPriceView'>

export default function PricesPage() {
  const t = useMessages()
  const w = useWords()
  const f = useFormat()
  const can = useCan()
  const providers = useProviderNames()
  const [dialog, open, close] = useDialog<'new' | 'edit' | 'delete'>()
  // The model for which a link asks a price; the list shows its prices.
  const [search] = useSearchState()
  const chosen = useRead('/api/v1/model_prices/{id}', { params: { id: dialog.id } }, { enabled: dialog.id !== '' })
  const price = chosen.data?.id === dialog.id ? chosen.data : undefined
  const create = useChange('post', '/api/v1/model_prices', ['/api/v1/model_prices'])
  const update = useChange('patch', '/api/v1/model_prices/{id}', ['/api/v1/model_prices'])
  const remove = useChange('delete', '/api/v1/model_prices/{id}', ['/api/v1/model_prices'])
  const canWrite = can('model_prices:write')
  const name = (each: Price) => `${each.provider}/${each.model}`
  const amount = (id: string, label: string, help: string, isRequired = false): Field => ({ name: id, label, help, kind: 'number', min: 0, isRequired, initial: isRequired ? 0 : undefined })
  const amounts = [
    amount('input_per_million', t.input, t.inputHelp, true),
    amount('output_per_million', t.output, t.outputHelp, true),
    amount('cached_input_per_million', t.cached, t.cachedHelp),
    amount('cache_write_per_million', t.cacheWrite, t.cacheWriteHelp),
    amount('per_unit', t.perUnit, t.perUnitHelp),
  ]
  const subject: Field[] = [
    can('ai_providers:read') ? { name: 'provider', label: t.provider, kind: 'choice', options: providers.options, isRequired: true, initial: search.provider } : { name: 'provider', label: t.provider, isRequired: true, initial: search.provider },
    { name: 'model', label: t.model, help: t.modelHelp, isRequired: true, placeholder: 'gpt-4o-mini', initial: search.model },
  ]
  const orInput = (value: number | null) => (value === null ? t.likeInput : f.money(value))
  const columns: Column<Price>[] = [
    { id: 'model', header: t.model, cell: (each) => <code>{each.model === '*' ? t.allModels : each.model}</code>, value: (each) => each.model },
    { id: 'provider', header: t.provider, cell: (each) => each.provider, value: (each) => each.provider },
    { id: 'input', header: t.input, isNumeric: true, cell: (each) => f.money(each.input_per_million), value: (each) => each.input_per_million },
    { id: 'output', header: t.output, isNumeric: true, cell: (each) => f.money(each.output_per_million), value: (each) => each.output_per_million },
    { id: 'cached', header: t.cached, isNumeric: true, cell: (each) => orInput(each.cached_input_per_million), value: (each) => each.cached_input_per_million },
    { id: 'cacheWrite', header: t.cacheWrite, isNumeric: true, isOptional: true, cell: (each) => orInput(each.cache_write_per_million), value: (each) => each.cache_write_per_million },
    { id: 'perUnit', header: t.perUnit, isNumeric: true, cell: (each) => f.money(each.per_unit), value: (each) => each.per_unit },
    { id: 'updated', header: w.updated, cell: (each) => <Time at={each.updated_at} />, value: (each) => each.updated_at },
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
        path="/api/v1/model_prices"
        label={t.title}
        columns={columns}
        filters={[
          { name: 'provider', label: t.provider },
          { name: 'model', label: t.model },
        ]}
        rowKey={(each) => each.id}
        rowActions={(each) =>
          canWrite && (
            <RowMenu
              name={name(each)}
              items={[
                { label: w.edit, onSelect: () => open('edit', each.id) },
                { label: w.delete, isDangerous: true, onSelect: () => open('delete', each.id) },
              ]}
            />
          )
        }
        empty={
          <Empty title={t.empty} command="loam price create --provider openai --model gpt-4o-mini --input 0.15 --output 0.6">
            {t.emptyHint}
          </Empty>
        }
      />
      {dialog.name === 'new' && canWrite && <FormDialog title={t.newTitle} fields={[...subject, ...amounts]} onClose={close} onSubmit={(body) => create.mutateAsync({ body: body as Schema<'ModelPriceCreate'> })} />}
      {dialog.name === 'edit' && canWrite && price && (
        <FormDialog title={t.editTitle(name(price))} fields={amounts} existing={price} onClose={close} onSubmit={(body, ifMatch) => update.mutateAsync({ params: { id: price.id }, body, ifMatch })} />
      )}
      {price && (
        <ConfirmDialog
          title={t.deleteTitle(name(price))}
          description={t.deleteHint}
          action={w.delete}
          isOpen={dialog.name === 'delete' && canWrite}
          onClose={close}
          onConfirm={() => remove.mutateAsync({ params: { id: price.id } })}
        />
      )}
    </Page>
  )
}
