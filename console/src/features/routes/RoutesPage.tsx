import { useNavigate } from '@tanstack/react-router'
import { Plus } from 'lucide-react'
import { useChange, useRead } from '@/api/hooks'
import { useCan } from '@/api/session'
import type { Schema } from '@/api/types'
import { useFormat } from '@/i18n/format'
import { useWords } from '@/i18n/words'
import type { Column } from '@/list/DataTable'
import { useDialog } from '@/list/dialog'
import { ResourceList } from '@/list/ResourceList'
import { Badge } from '@/ui/Badge'
import { Button } from '@/ui/Button'
import { ConfirmDialog } from '@/ui/Dialog'
import { Empty } from '@/ui/Feedback'
import { Page } from '@/ui/Page'
import { RowMenu } from '@/ui/RowMenu'
import { Time } from '@/ui/Time'
import { notify } from '@/ui/Toasts'
import { healthOf } from './health'
import { useMessages } from './messages'
import { RouteForm } from './RouteForm'
import { RouteTest } from './RouteTest'
import { Targets } from './Targets'
import { nameOf } from './targets'

type Route = Schema<'ModelRouteView'>

const REFRESH_MS = 5_000
/** As many of the latest calls tell how targets fare. */
const LATEST_CALLS = 200

export default function RoutesPage() {
  const t = useMessages()
  const w = useWords()
  const f = useFormat()
  const can = useCan()
  const navigate = useNavigate()
  const [dialog, open, close] = useDialog<'new' | 'edit' | 'test' | 'delete'>()
  const isAboutOne = dialog.name !== undefined && dialog.name !== 'new'
  const chosen = useRead('/api/v1/model_routes/{id}', { params: { id: dialog.id } }, { enabled: isAboutOne && dialog.id !== '' })
  const calls = useRead('/api/v1/llm_calls', { query: { limit: LATEST_CALLS } }, { enabled: can('llm_calls:read'), refresh: REFRESH_MS })
  const update = useChange('patch', '/api/v1/model_routes/{id}', ['/api/v1/model_routes'])
  const remove = useChange('delete', '/api/v1/model_routes/{id}', ['/api/v1/model_routes'])
  const canWrite = can('model_routes:write')
  const health = calls.data ? healthOf(calls.data.data) : null
  const route = chosen.data?.id === dialog.id ? chosen.data : undefined
  const columns: Column<Route>[] = [
    { id: 'alias', header: t.alias, cell: (each) => <code>{each.alias}</code>, value: (each) => each.alias },
    { id: 'targets', header: t.targets, cell: (each) => <Targets route={each} health={health} />, value: (each) => each.targets.map(nameOf).join(' ') },
    { id: 'state', header: w.state, cell: (each) => <Badge tone={each.is_active ? 'success' : 'neutral'}>{each.is_active ? w.active : w.inactive}</Badge>, value: (each) => each.is_active },
    { id: 'rounds', header: t.rounds, isNumeric: true, isOptional: true, cell: (each) => each.retries.rounds, value: (each) => each.retries.rounds },
    { id: 'cache', header: t.cache, isNumeric: true, cell: (each) => (each.cache_seconds ? t.seconds(f.number(each.cache_seconds)) : t.off), value: (each) => each.cache_seconds },
    { id: 'updated', header: w.updated, cell: (each) => <Time at={each.updated_at} />, value: (each) => each.updated_at },
  ]
  return (
    <Page
      title={t.title}
      description={health ? `${t.description} ${t.healthHint}` : t.description}
      actions={
        canWrite && (
          <Button look="primary" icon={<Plus size={16} />} onClick={() => open('new')}>
            {t.add}
          </Button>
        )
      }
    >
      <ResourceList
        path="/api/v1/model_routes"
        label={t.title}
        columns={columns}
        filters={[
          { name: 'alias', label: t.alias },
          { name: 'is_active', label: w.state, options: [{ value: 'true', label: w.active }, { value: 'false', label: w.inactive }] },
        ]}
        rowKey={(each) => each.id}
        rowActions={(each) => (
          <RowMenu
            name={each.alias}
            items={[
              canWrite && { label: w.edit, onSelect: () => open('edit', each.id) },
              can('gateway:call') && { label: t.test, onSelect: () => open('test', each.id) },
              canWrite && { label: each.is_active ? w.deactivate : w.activate, onSelect: () => update.mutate({ params: { id: each.id }, body: { is_active: !each.is_active } }, { onError: (error) => notify(error.message) }) },
              can('llm_calls:read') && { label: t.calls, onSelect: () => void navigate({ to: '/calls', search: { route: each.alias } } as never) },
              canWrite && { label: w.delete, isDangerous: true, onSelect: () => open('delete', each.id) },
            ]}
          />
        )}
        empty={
          <Empty title={t.empty} command="loam route create --alias chat --target openai/gpt-4o-mini --target qwen/qwen-turbo,order=1">
            {t.emptyHint}
          </Empty>
        }
      />
      {dialog.name === 'new' && canWrite && <RouteForm onClose={close} />}
      {dialog.name === 'edit' && canWrite && route && <RouteForm key={route.id} existing={route} onClose={close} />}
      {dialog.name === 'test' && route && <RouteTest alias={route.alias} onClose={close} />}
      {route && (
        <ConfirmDialog
          title={t.deleteTitle(route.alias)}
          description={t.deleteHint}
          action={w.delete}
          isOpen={dialog.name === 'delete' && canWrite}
          onClose={close}
          onConfirm={() => remove.mutateAsync({ params: { id: route.id } })}
        />
      )}
    </Page>
  )
}
