import { Link, useNavigate } from '@tanstack/react-router'
import { Plus } from 'lucide-react'
import { useState } from 'react'
import { useChange, useRead } from '@/api/hooks'
import { useUserNames } from '@/api/names'
import { useCan } from '@/api/session'
import type { Schema } from '@/api/types'
import { FormDialog } from '@/form/FormDialog'
import { useFormat } from '@/i18n/format'
import { useWords } from '@/i18n/words'
import type { Column } from '@/list/DataTable'
import { useDialog } from '@/list/dialog'
import { ResourceList } from '@/list/ResourceList'
import { Badge, type Tone } from '@/ui/Badge'
import { Button } from '@/ui/Button'
import { ConfirmDialog, Dialog } from '@/ui/Dialog'
import { Empty } from '@/ui/Feedback'
import { Facts, Page } from '@/ui/Page'
import { RowMenu } from '@/ui/RowMenu'
import { SecretDialog } from '@/ui/SecretDialog'
import { DateTime, Time } from '@/ui/Time'
import { notify } from '@/ui/Toasts'
import { useProjectFields } from './fields'
import { useMessages } from './messages'

type Project = Schema<'ProjectView'>

const TONES: Record<Schema<'MonitoringStatus'>, Tone> = { active: 'success', inactive: 'neutral', archived: 'neutral' }

interface Shown {
  id: string
  name: string
  key: string
  /** Until when the key before it is valid. */
  oldUntil?: string
}

export default function ProjectsPage() {
  const t = useMessages()
  const w = useWords()
  const can = useCan()
  const navigate = useNavigate()
  const fields = useProjectFields()
  const users = useUserNames()
  const [dialog, open, close] = useDialog<'new' | 'show' | 'edit' | 'rotate' | 'delete'>()
  const [shown, setShown] = useState<Shown | null>(null)
  const chosen = useRead('/api/v1/projects/{id}', { params: { id: dialog.id } }, { enabled: dialog.id !== '' })
  const project = chosen.data?.id === dialog.id ? chosen.data : undefined
  const create = useChange('post', '/api/v1/projects', ['/api/v1/projects'])
  const update = useChange('patch', '/api/v1/projects/{id}', ['/api/v1/projects'])
  const rotate = useChange('post', '/api/v1/projects/{id}/rotate_key', ['/api/v1/projects'])
  const remove = useChange('delete', '/api/v1/projects/{id}', ['/api/v1/projects', '/api/v1/api_keys'])
  const canWrite = can('projects:write')
  function show({ id, name, ingest_key }: Schema<'ProjectCreated'>, oldUntil?: string) {
    if (ingest_key) setShown({ id, name, key: ingest_key, oldUntil })
    else notify(t.noKey)
  }
  const columns: Column<Project>[] = [
    { id: 'name', header: w.name, cell: (each) => each.name, value: (each) => each.name },
    { id: 'framework', header: t.framework, cell: (each) => each.framework ?? '', value: (each) => each.framework },
    { id: 'monitoring', header: t.monitoring, cell: (each) => <Badge tone={TONES[each.monitoring_status]}>{t.monitorings[each.monitoring_status]}</Badge>, value: (each) => each.monitoring_status },
    { id: 'delivery', header: t.delivery, cell: (each) => t.deliveries[each.delivery_status], value: (each) => each.delivery_status },
    { id: 'owner', header: t.owner, cell: (each) => users.nameOf(each.owner_id), value: (each) => each.owner_id && users.nameOf(each.owner_id) },
    { id: 'key', header: t.key, cell: (each) => <code>…{each.project_key.last4}</code> },
    { id: 'lastActivity', header: t.lastActivity, cell: (each) => (each.last_activity ? <Time at={each.last_activity} /> : w.never), value: (each) => each.last_activity },
    { id: 'created', header: w.created, isOptional: true, cell: (each) => <Time at={each.created_at} />, value: (each) => each.created_at },
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
        path="/api/v1/projects"
        label={t.title}
        columns={columns}
        filters={[
          { name: 'monitoring_status', label: t.monitoring, options: Object.entries(t.monitorings).map(([value, label]) => ({ value, label })) },
          { name: 'delivery_status', label: t.delivery, options: Object.entries(t.deliveries).map(([value, label]) => ({ value, label })) },
          { name: 'framework', label: t.framework },
          { name: 'owner_id', label: t.owner, options: users.options },
        ]}
        rowKey={(each) => each.id}
        rowActions={(each) => (
          <RowMenu
            name={each.name}
            items={[
              { label: t.details, onSelect: () => open('show', each.id) },
              canWrite && { label: w.edit, onSelect: () => open('edit', each.id) },
              can('api_keys:read') && { label: t.keys, onSelect: () => void navigate({ to: '/keys', search: { project_id: each.id } } as never) },
              can('performance_records:read') && { label: t.records, onSelect: () => void navigate({ to: '/records', search: { project_id: each.id } } as never) },
              canWrite && can('telemetry:send') && { label: t.rotate, onSelect: () => open('rotate', each.id) },
              canWrite && { label: w.delete, isDangerous: true, onSelect: () => open('delete', each.id) },
            ]}
          />
        )}
        empty={
          <Empty title={t.empty} command="loam project create --name shop --framework flask">
            {t.emptyHint}
          </Empty>
        }
      />
      {dialog.name === 'new' && canWrite && <FormDialog title={t.newTitle} fields={fields.ofNew} onClose={close} onSubmit={async (body) => show(await create.mutateAsync({ body: body as Schema<'ProjectCreate'> }))} />}
      {project && (
        <>
          <Dialog title={t.showTitle(project.name)} isOpen={dialog.name === 'show'} onClose={close} size="wide">
            <Details project={project} owner={users.nameOf(project.owner_id)} />
          </Dialog>
          {dialog.name === 'edit' && canWrite && (
            <FormDialog title={t.showTitle(project.name)} size="wide" fields={fields.ofExisting} existing={project} onClose={close} onSubmit={(body, ifMatch) => update.mutateAsync({ params: { id: project.id }, body, ifMatch })} />
          )}
          {dialog.name === 'rotate' && canWrite && (
            <FormDialog
              title={t.rotateTitle(project.name)}
              action={t.rotate}
              fields={[{ name: 'grace_seconds', label: t.grace, help: t.graceHelp, kind: 'number', min: 0, max: 2_592_000, step: 1, placeholder: '86400' }]}
              onClose={close}
              onSubmit={async (body) => {
                const rotated = await rotate.mutateAsync({ params: { id: project.id }, body: body as Schema<'RotateKey'> })
                show(rotated, rotated.old_key_valid_until)
              }}
            />
          )}
          <ConfirmDialog
            title={t.deleteTitle(project.name)}
            description={t.deleteHint}
            action={w.delete}
            isOpen={dialog.name === 'delete' && canWrite}
            onClose={close}
            onConfirm={() => remove.mutateAsync({ params: { id: project.id } })}
          />
        </>
      )}
      {shown && (
        <SecretDialog title={t.created(shown.name)} secret={shown.key} onClose={() => setShown(null)}>
          <p>
            {t.createdHint} <Link to="/connect" search={{ project: shown.id } as never}>{t.setUp}</Link>
          </p>
          {shown.oldUntil && (
            <p>
              {t.oldUntil} <DateTime at={shown.oldUntil} />
            </p>
          )}
        </SecretDialog>
      )}
    </Page>
  )
}

function Details({ project, owner }: { project: Project; owner: string }) {
  const t = useMessages()
  const w = useWords()
  const f = useFormat()
  const { config } = project
  return (
    <Facts
      facts={[
        [w.description, project.description],
        [t.framework, project.framework],
        [t.monitoring, t.monitorings[project.monitoring_status]],
        [t.delivery, t.deliveries[project.delivery_status]],
        [t.owner, owner],
        [t.deadline, project.deadline && <DateTime at={project.deadline} />],
        [t.key, <code>…{project.project_key.last4}</code>],
        [t.lastActivity, project.last_activity ? <DateTime at={project.last_activity} /> : w.never],
        [t.enabled, config.enabled ? w.yes : w.no],
        [t.sampling, f.percent(config.sampling_rate)],
        [t.autoAnalysis, config.auto_analysis ? w.yes : w.no],
        [t.responseTime, f.number(config.alert_threshold.response_time)],
        [t.errorRate, f.percent(config.alert_threshold.error_rate)],
        [t.memory, f.number(config.alert_threshold.memory_usage)],
        [t.origins, config.allowed_origins?.join(', ')],
        [w.id, <code>{project.id}</code>],
        [w.created, <DateTime at={project.created_at} />],
      ]}
    />
  )
}
