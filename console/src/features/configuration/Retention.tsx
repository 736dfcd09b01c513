import { Link } from '@tanstack/react-router'
import { Pencil, Plus, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { useChange } from '@/api/hooks'
import { useProjects } from '@/api/projects'
import { useCan } from '@/api/session'
import type { Schema } from '@/api/types'
import type { Field } from '@/form/field'
import { FormDialog } from '@/form/FormDialog'
import { useLanguage } from '@/i18n/language'
import { DataTable } from '@/list/DataTable'
import { Button, IconButton } from '@/ui/Button'
import { ConfirmDialog } from '@/ui/Dialog'
import { Card } from '@/ui/Page'
import styles from './configuration.module.css'
import type { Level } from './level'
import { useMessages } from './messages'
import { KEPT, keptFor, PROJECT_FIELDS, RETENTION_KEY } from './retention'
import { SourceBadge } from './SourceBadge'

type Setting = Schema<'SystemConfigView'>
type Times = Record<string, number | null>

/** What is kept how long, and by which projects for another time. */
export function Retention({ settings, level }: { settings: Setting[]; level: Level }) {
  const t = useMessages()
  const language = useLanguage()
  const can = useCan()
  const retention = settings.find(({ config_key }) => config_key === RETENTION_KEY)
  const search = (level === 'tenant' ? { level } : {}) as never
  return (
    <div className={styles.categories}>
      <Card title={t.levels[level]} actions={can('system_config:write') && <Link to={`/configuration/${RETENTION_KEY}`} search={search}>{t.edit}</Link>}>
        <p>{t.retentionHint}</p>
        <DataTable
          label={t.retention}
          rows={keptFor(settings)}
          rowKey={(row) => `${row.key} ${row.field}`}
          rowLink={(row) => `/configuration/${row.key}${level === 'tenant' ? '?level=tenant' : ''}`}
          columns={[
            { id: 'data', header: t.data, cell: (row) => row.name[language] },
            { id: 'value', header: t.keptFor, isNumeric: true, cell: (row) => (row.value === null ? t.forEver : t[row.unit](row.value)) },
            { id: 'source', header: t.source, cell: (row) => <SourceBadge source={row.source} /> },
            { id: 'remains', header: t.afterwards, cell: (row) => t.remains[row.field] ?? '' },
          ]}
        />
      </Card>
      {retention && <ByProject setting={retention} />}
    </div>
  )
}

function ByProject({ setting }: { setting: Setting }) {
  const t = useMessages()
  const language = useLanguage()
  const can = useCan()
  const { projects, nameOf } = useProjects()
  const patch = useChange('patch', '/api/v1/system_config/{key}', ['/api/v1/system_config'])
  const [edited, setEdited] = useState<{ id?: string; times?: Times } | null>(null)
  const [removed, setRemoved] = useState<string | null>(null)
  const times = (setting.config_value as { projects?: Record<string, Times> }).projects ?? {}
  const mayWrite = can('system_config:write')
  const change = (id: string, body: Record<string, unknown> | null) =>
    patch.mutateAsync({ params: { key: RETENTION_KEY }, query: { level: setting.level }, body: { config_value: { projects: { [id]: body } } } })
  const name = (field: string) => KEPT.find((kept) => kept.field === field)?.name[language] ?? field
  const fields: Field[] = [
    ...(edited?.id
      ? []
      : [{ name: 'project', label: t.project, kind: 'choice' as const, isRequired: true, options: projects.filter(({ id }) => !(id in times)).map(({ id, name }) => ({ value: id, label: name })) }]),
    ...PROJECT_FIELDS.map((field) => ({ name: field, label: t.inDays(name(field)), kind: 'number' as const, min: 1, max: 3650, step: 1, help: t.sameAsTenant })),
  ]
  return (
    <Card
      title={t.byProject}
      actions={
        mayWrite && (
          <Button icon={<Plus size={16} />} onClick={() => setEdited({})}>
            {t.addProject}
          </Button>
        )
      }
    >
      <p>{Object.keys(times).length > 0 ? t.byProjectHint : t.noProjects}</p>
      {Object.keys(times).length > 0 && (
        <DataTable
          label={t.byProject}
          rows={Object.entries(times)}
          rowKey={([id]) => id}
          columns={[
            { id: 'project', header: t.project, cell: ([id]) => nameOf(id) },
            ...PROJECT_FIELDS.map((field) => ({
              id: field,
              header: name(field),
              isNumeric: true,
              cell: ([, kept]: [string, Times]) => (field in kept ? (kept[field] == null ? t.forEver : t.days(kept[field])) : <span className={styles.muted}>{t.asTenant}</span>),
            })),
          ]}
          rowActions={
            mayWrite
              ? ([id, kept]) => (
                  <span className={styles.rowActions}>
                    <IconButton label={`${t.edit}: ${nameOf(id)}`} icon={<Pencil size={16} />} onClick={() => setEdited({ id, times: kept })} />
                    <IconButton label={`${t.remove}: ${nameOf(id)}`} icon={<Trash2 size={16} />} onClick={() => setRemoved(id)} />
                  </span>
                )
              : undefined
          }
        />
      )}
      {edited && (
        <FormDialog
          title={edited.id ? nameOf(edited.id) : t.addProject}
          fields={fields}
          existing={edited.times}
          onClose={() => setEdited(null)}
          onSubmit={({ project, ...changed }) => change(edited.id ?? String(project), changed)}
        />
      )}
      <ConfirmDialog
        title={t.removeProject(removed ? nameOf(removed) : '')}
        description={t.removeProjectHelp}
        action={t.remove}
        isOpen={removed !== null}
        onClose={() => setRemoved(null)}
        onConfirm={() => change(removed ?? '', null)}
      />
    </Card>
  )
}
