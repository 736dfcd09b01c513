import { useNavigate } from '@tanstack/react-router'
import { Plus } from 'lucide-react'
import { useChange, useRead } from '@/api/hooks'
import { useCan } from '@/api/session'
import type { Schema } from '@/api/types'
import { useWords } from '@/i18n/words'
import type { Column } from '@/list/DataTable'
import { useDialog } from '@/list/dialog'
import { ResourceList } from '@/list/ResourceList'
import { ProviderForm, ProviderTest } from '@/provider-form'
import { Badge } from '@/ui/Badge'
import { Button } from '@/ui/Button'
import { Dialog } from '@/ui/Dialog'
import { Empty, Loaded } from '@/ui/Feedback'
import { Page } from '@/ui/Page'
import { RowMenu } from '@/ui/RowMenu'
import { Time } from '@/ui/Time'
import { notify } from '@/ui/Toasts'
import { DeleteProvider } from './DeleteProvider'
import { useMessages } from './messages'

type Provider = Schema<'AiProviderView'>

export default function ProvidersPage() {
  const t = useMessages()
  const w = useWords()
  const can = useCan()
  const navigate = useNavigate()
  const [dialog, open, close] = useDialog<'new' | 'edit' | 'test' | 'delete'>()
  const isAboutOne = dialog.name !== undefined && dialog.name !== 'new'
  const chosen = useRead('/api/v1/ai_providers/{id}', { params: { id: dialog.id } }, { enabled: isAboutOne && dialog.id !== '' })
  const update = useChange('patch', '/api/v1/ai_providers/{id}', ['/api/v1/ai_providers'])
  const canWrite = can('ai_providers:write')
  const provider = chosen.data?.id === dialog.id ? chosen.data : undefined
  const configOf = (provider: Provider) => provider.config as { base_url?: string; models?: string[]; api_key?: { last4: string | null } }
  const columns: Column<Provider>[] = [
    { id: 'name', header: w.name, cell: (provider) => <code>{provider.name}</code>, value: (provider) => provider.name },
    { id: 'kind', header: t.kind, cell: (provider) => provider.display_name, value: (provider) => provider.kind },
    { id: 'state', header: w.state, cell: (provider) => <Badge tone={provider.is_active ? 'success' : 'neutral'}>{provider.is_active ? w.active : w.inactive}</Badge>, value: (provider) => provider.is_active },
    { id: 'address', header: t.address, cell: (provider) => <code>{configOf(provider).base_url}</code>, value: (provider) => configOf(provider).base_url },
    { id: 'key', header: t.key, cell: (provider) => (configOf(provider).api_key ? <code>…{configOf(provider).api_key?.last4 ?? '••••'}</code> : w.none) },
    { id: 'models', header: t.models, cell: (provider) => configOf(provider).models?.join(', ') ?? t.allModels, value: (provider) => configOf(provider).models?.join(' ') },
    { id: 'updated', header: w.updated, isOptional: true, cell: (provider) => <Time at={provider.updated_at} />, value: (provider) => provider.updated_at },
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
        path="/api/v1/ai_providers"
        label={t.title}
        columns={columns}
        filters={[
          { name: 'name', label: w.name },
          { name: 'is_active', label: w.state, options: [{ value: 'true', label: w.active }, { value: 'false', label: w.inactive }] },
        ]}
        rowKey={(provider) => provider.id}
        rowActions={(provider) => (
          <RowMenu
            name={provider.name}
            items={[
              canWrite && { label: w.edit, onSelect: () => open('edit', provider.id) },
              canWrite && { label: t.test, onSelect: () => open('test', provider.id) },
              canWrite && { label: provider.is_active ? w.deactivate : w.activate, onSelect: () => update.mutate({ params: { id: provider.id }, body: { is_active: !provider.is_active } }, { onError: (error) => notify(error.message) }) },
              can('llm_calls:read') && { label: t.calls, onSelect: () => void navigate({ to: '/calls', search: { provider: provider.name } } as never) },
              canWrite && { label: w.delete, isDangerous: true, onSelect: () => open('delete', provider.id) },
            ]}
          />
        )}
        empty={
          <Empty title={t.empty} command="loam provider create --name openai --kind openai --config '{&quot;api_key&quot;: &quot;sk-…&quot;}'">
            {t.emptyHint}
          </Empty>
        }
      />
      <Dialog title={t.addTitle} isOpen={dialog.name === 'new' && canWrite} onClose={close} size="wide">
        <ProviderForm
          onCancel={close}
          onDone={(provider) => {
            notify(t.added(provider.name))
            open('test', provider.id)
          }}
        />
      </Dialog>
      <Dialog title={t.editTitle(provider?.name ?? '')} isOpen={dialog.name === 'edit' && canWrite} onClose={close} size="wide">
        <Loaded query={{ ...chosen, data: provider }}>{(found) => <ProviderForm key={found.id} existing={found} onCancel={close} onDone={close} />}</Loaded>
      </Dialog>
      <Dialog title={t.testTitle(provider?.name ?? '')} isOpen={dialog.name === 'test' && canWrite} onClose={close}>
        <ProviderTest id={dialog.id} />
      </Dialog>
      {dialog.name === 'delete' && provider && canWrite && <DeleteProvider provider={provider} onClose={close} />}
    </Page>
  )
}
