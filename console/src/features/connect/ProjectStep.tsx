import { KeyRound, Plus } from 'lucide-react'
import { useState } from 'react'
import { useChange } from '@/api/hooks'
import { useProjects } from '@/api/projects'
import { useCan } from '@/api/session'
import type { BodyOf, Schema } from '@/api/types'
import { FieldInput } from '@/form/FieldInput'
import { FormDialog } from '@/form/FormDialog'
import { Button } from '@/ui/Button'
import { CodeBlock } from '@/ui/Code'
import { Card } from '@/ui/Page'
import styles from './connect.module.css'
import { useMessages } from './messages'
import { FRAMEWORKS } from './snippets'

interface ProjectStepProps {
  project: Schema<'ProjectView'> | undefined
  /** The key, if it was made on this page; null if it was withheld. */
  shownKey: string | null | undefined
  onChoose: (id: string | undefined) => void
  onKey: (id: string, key: string | null) => void
}

/** Chooses or makes the project, and its key. */
export function ProjectStep({ project, shownKey, onChoose, onKey }: ProjectStepProps) {
  const t = useMessages()
  const can = useCan()
  const { projects, isLoaded } = useProjects()
  const [open, setOpen] = useState<'create' | 'rotate' | null>(null)
  const create = useChange('post', '/api/v1/projects', ['/api/v1/projects'])
  const rotate = useChange('post', '/api/v1/projects/{id}/rotate_key', ['/api/v1/projects'])
  return (
    <Card title={t.projectStep}>
      <p>{t.projectHelp}</p>
      {isLoaded && projects.length === 0 && <p>{t.noProjects}</p>}
      <div className={styles.project}>
        {projects.length > 0 && (
          <FieldInput
            field={{ name: 'project', label: t.project, kind: 'choice', options: projects.map(({ id, name }) => ({ value: id, label: name })) }}
            value={project?.id}
            onChange={(id) => onChoose(id as string | undefined)}
          />
        )}
        {can('projects:write') && (
          <Button look={projects.length === 0 ? 'primary' : 'secondary'} icon={<Plus size={16} />} onClick={() => setOpen('create')}>
            {t.create}
          </Button>
        )}
        {can('projects:write') && project && (
          <Button icon={<KeyRound size={16} />} onClick={() => setOpen('rotate')}>
            {t.rotate}
          </Button>
        )}
      </div>
      {project && (project.monitoring_status !== 'active' || !project.config.enabled) && (
        <p role="alert">
          {t.inactive} {project.monitoring_status === 'active' ? t.inactiveConfig : t.inactiveStatus}
        </p>
      )}
      {project && shownKey && (
        <div>
          <p>{t.keyShown}</p>
          <CodeBlock code={shownKey} label={t.keyShown} />
        </div>
      )}
      {project && shownKey === null && <p>{t.keyWithheld}</p>}
      {project && shownKey === undefined && <p className={styles.note}>{t.keyHidden(project.project_key.last4 ?? '')}</p>}
      {open === 'create' && (
        <FormDialog
          title={t.create}
          fields={[
            { name: 'name', label: t.name, help: t.nameHelp, isRequired: true },
            { name: 'framework', label: t.framework, kind: 'choice', options: FRAMEWORKS.slice(0, 4).map((value) => ({ value, label: t.frameworks[value] })) },
          ]}
          onClose={() => setOpen(null)}
          onSubmit={async (body) => {
            const made = await create.mutateAsync({ body: body as BodyOf<'/api/v1/projects', 'post'> })
            onKey(made.id, made.ingest_key)
          }}
        />
      )}
      {open === 'rotate' && project && (
        <FormDialog
          title={t.rotateTitle}
          action={t.rotate}
          fields={[{ name: 'grace_seconds', label: t.grace, help: t.graceHelp, kind: 'number', isRequired: true, initial: 86_400, min: 0, max: 2_592_000, step: 1 }]}
          onClose={() => setOpen(null)}
          onSubmit={async (body) => {
            const made = await rotate.mutateAsync({ params: { id: project.id }, body: body as BodyOf<'/api/v1/projects/{id}/rotate_key', 'post'> })
            onKey(made.id, made.ingest_key)
          }}
        />
      )}
    </Card>
  )
}
