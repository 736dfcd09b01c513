import { Plus } from 'lucide-react'
import { useState } from 'react'
import { useChange, useRead } from '@/api/hooks'
import { useCan, useSession } from '@/api/session'
import type { Schema } from '@/api/types'
import type { Field, Values } from '@/form/field'
import { FormDialog } from '@/form/FormDialog'
import { useFormat } from '@/i18n/format'
import { useWords } from '@/i18n/words'
import type { Column } from '@/list/DataTable'
import { useDialog } from '@/list/dialog'
import { ResourceList } from '@/list/ResourceList'
import { Badge, type Tone } from '@/ui/Badge'
import { Button } from '@/ui/Button'
import { Page } from '@/ui/Page'
import { RowMenu } from '@/ui/RowMenu'
import { SecretDialog } from '@/ui/SecretDialog'
import { Time } from '@/ui/Time'
import { useMessages } from './messages'

type Tenant = Schema<'TenantView'>
type Status = Schema<'TenantStatus'>

const TONES: Record<Status, Tone> = { active: 'success', suspended: 'warning', archived: 'neutral' }

export default function TenantsPage() {
  const t = useMessages()
  const w = useWords()
  const f = useFormat()
  const can = useCan()
  const { tenant: current, setTenant } = useSession()
  const [dialog, open, close] = useDialog<'new' | 'edit'>()
  const [created, setCreated] = useState<Schema<'TenantCreated'> | null>(null)
  const chosen = useRead('/api/v1/tenants/{id}', { params: { id: dialog.id } }, { enabled: dialog.id !== '' })
  const tenant = chosen.data?.id === dialog.id ? chosen.data : undefined
  const create = useChange('post', '/api/v1/tenants', ['/api/v1/tenants'])
  const update = useChange('patch', '/api/v1/tenants/{id}', ['/api/v1/tenants'])
  const canWrite = can('tenants:write')
  const quotas = ({ quotas: { users, projects, api_keys: keys } }: Tenant) =>
    [users != null && t.users(f.number(users)), projects != null && t.projects(f.number(projects)), keys != null && t.keys(f.number(keys))].filter(Boolean).join(', ') || t.unlimited
  const quota = (name: string, label: string): Field => ({ name: `quotas.${name}`, label, help: t.quotaHelp, kind: 'number', min: 0, step: 1 })
  const shared: Field[] = [
    { name: 'name', label: w.name, help: t.nameHelp },
    { name: 'plan', label: t.plan, help: t.planHelp },
    quota('users', t.quotaUsers),
    quota('projects', t.quotaProjects),
    quota('api_keys', t.quotaKeys),
  ]
  const ofNew: Field[] = [{ name: 'slug', label: t.slug, help: t.slugHelp, isRequired: true, placeholder: 'acme' }, ...shared]
  const ofExisting = (values: Values): Field[] => [
    { name: 'status', label: w.state, help: t.statusHelp[values.status as Status], kind: 'choice', isRequired: true, options: Object.entries(t.statuses).map(([value, label]) => ({ value, label })) },
    ...shared,
    { name: 'settings', label: t.settings, kind: 'json' },
    { name: 'metadata', label: t.metadata, kind: 'json' },
  ]
  const columns: Column<Tenant>[] = [
    { id: 'name', header: w.name, cell: (each) => <span>{each.name} {each.slug === current && <Badge tone="info">{t.current}</Badge>}</span>, value: (each) => each.name },
    { id: 'slug', header: t.slug, cell: (each) => <code>{each.slug}</code>, value: (each) => each.slug },
    { id: 'status', header: w.state, cell: (each) => <Badge tone={TONES[each.status]}>{t.statuses[each.status]}</Badge>, value: (each) => each.status },
    { id: 'plan', header: t.plan, cell: (each) => each.plan ?? '', value: (each) => each.plan },
    { id: 'quotas', header: t.quotas, cell: quotas, value: quotas },
    { id: 'created', header: w.created, cell: (each) => <Time at={each.created_at} />, value: (each) => each.created_at },
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
        path="/api/v1/tenants"
        label={t.title}
        columns={columns}
        filters={[{ name: 'slug', label: t.slug }]}
        rowKey={(each) => each.id}
        rowActions={(each) => (
          <RowMenu name={each.name} items={[canWrite && { label: w.edit, onSelect: () => open('edit', each.id) }, each.slug !== current && can('tenants:open' as never) && { label: t.openIt, onSelect: () => setTenant(each.slug) }]} />
        )}
      />
      {dialog.name === 'new' && canWrite && <FormDialog title={t.newTitle} fields={ofNew} onClose={close} onSubmit={async (body) => setCreated(await create.mutateAsync({ body: body as Schema<'TenantCreate'> }))} />}
      {dialog.name === 'edit' && canWrite && tenant && <FormDialog title={t.editTitle(tenant.name)} fields={ofExisting} existing={tenant} onClose={close} onSubmit={(body, ifMatch) => update.mutateAsync({ params: { id: tenant.id }, body, ifMatch })} />}
      {created && (
        <SecretDialog title={t.created(created.name)} secret={created.api_key.key} onClose={() => setCreated(null)}>
          <p>{t.createdHint}</p>
        </SecretDialog>
      )}
    </Page>
  )
}
