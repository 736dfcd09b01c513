import { useNavigate } from '@tanstack/react-router'
import { type FormEvent, useId, useMemo, useState } from 'react'
import { useChange, useRead } from '@/api/hooks'
import { useProjects } from '@/api/projects'
import { ApiError, request } from '@/api/request'
import { useCan, useSession } from '@/api/session'
import { FieldInput } from '@/form/FieldInput'
import { useFormat } from '@/i18n/format'
import { PRESETS } from '@/list/time'
import { Button } from '@/ui/Button'
import { Dialog } from '@/ui/Dialog'
import { ErrorMessage } from '@/ui/Feedback'
import { useUiMessages } from '@/ui/messages'
import styles from './analyses.module.css'
import { useMessages } from './messages'
import { settingsFor, spentToday } from './results'

type RangeName = 'newest' | '1h' | '24h' | '7d'

const MOST = 200

/** Lets a model analyse the slowest request of an endpoint. */
export function RunDialog({ onClose }: { onClose: () => void }) {
  const t = useMessages()
  const ui = useUiMessages()
  const f = useFormat()
  const can = useCan()
  const id = useId()
  const navigate = useNavigate()
  const { projects } = useProjects()
  const { projectId } = useSession()
  const [project, setProject] = useState(projectId ?? undefined)
  const [range, setRange] = useState<RangeName>('newest')
  const [endpoint, setEndpoint] = useState<string>()
  const [model, setModel] = useState('')
  const [error, setError] = useState<ApiError | null>(null)
  const [isBusy, setBusy] = useState(false)
  const create = useChange('post', '/api/v1/ai_analysis_results', ['/api/v1/ai_analysis_results'])
  const from = useMemo(() => new Date(Date.now() - PRESETS[range === 'newest' ? '7d' : range]).toISOString(), [range])
  const canList = can('performance_records:read')
  const endpoints = useRead('/api/v1/endpoint_stats', { query: { project_id: project ?? '', from, order: 'p95', limit: MOST } }, { enabled: project !== undefined && canList })
  const config = useRead('/api/v1/system_config/{key}', { params: { key: 'insight.analysis' } }, { enabled: can('system_config:read') })
  const analyses = useRead('/api/v1/ai_analysis_results', { query: { project_id: project, limit: MOST } }, { enabled: project !== undefined })
  const settings = settingsFor(config.data?.config_value, project)
  const errorAt = (param: string) => (error?.param === param ? error.message : undefined)

  async function submit(event: FormEvent) {
    event.preventDefault()
    setBusy(true)
    setError(null)
    try {
      const chosen = { model: model.trim() || undefined }
      const body = range === 'newest' ? { ...chosen, project_id: project, endpoint } : { ...chosen, record_id: await slowest() }
      const made = await create.mutateAsync({ body })
      void navigate({ to: `/analyses/${made.id}` } as never)
    } catch (cause) {
      setError(cause instanceof ApiError ? cause : new ApiError(0, 'failed', String(cause), null, null))
    } finally {
      setBusy(false)
    }
  }

  async function slowest(): Promise<string> {
    const { data } = await request('get', '/api/v1/performance_records', { query: { project_id: project, endpoint, from, order: 'duration', limit: 1 } })
    if (!data[0]) throw new ApiError(404, 'not_found', t.noRecord, 'endpoint', null)
    return data[0].id
  }

  const rows = project ? (endpoints.data?.data ?? []) : []
  const endpointHelp = !project ? t.chooseProject : endpoints.data && rows.length === 0 ? t.noEndpoints : undefined
  const modelHelp = !config.data ? t.modelUnknown : settings.model ? t.modelHelp(settings.model) : t.modelNeeded
  return (
    <Dialog
      title={t.run}
      description={t.description}
      isOpen
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{ui.cancel}</Button>
          <Button look="primary" type="submit" form={id} isBusy={isBusy}>
            {t.start}
          </Button>
        </>
      }
    >
      <form id={id} className={styles.form} onSubmit={submit}>
        <FieldInput
          field={{ name: 'project_id', label: t.project, kind: 'choice', isRequired: true, options: projects.map((each) => ({ value: each.id, label: each.name })) }}
          value={project}
          error={errorAt('project_id')}
          onChange={(value) => {
            setProject(value as string | undefined)
            setEndpoint(undefined)
          }}
        />
        <FieldInput
          field={{ name: 'range', label: t.range, kind: 'choice', isRequired: true, options: (canList ? (Object.keys(t.ranges) as RangeName[]) : (['newest'] as const)).map((value) => ({ value, label: t.ranges[value] })) }}
          value={range}
          onChange={(value) => setRange((value as RangeName | undefined) ?? 'newest')}
        />
        <FieldInput
          field={{
            name: 'endpoint',
            label: t.endpoint,
            help: endpointHelp,
            kind: canList ? 'choice' : 'text',
            isRequired: true,
            options: rows.map((row) => ({ value: row.endpoint ?? '', label: t.endpointChoice(row.endpoint ?? '', f.duration(row.p95 === null ? null : row.p95 * 1000)) })),
          }}
          value={endpoint}
          error={errorAt('endpoint') ?? errorAt('record_id')}
          onChange={(value) => setEndpoint(value as string | undefined)}
        />
        <FieldInput
          field={{ name: 'model', label: t.model, help: modelHelp, isRequired: config.data !== undefined && !settings.model, placeholder: settings.model ?? 'provider/model' }}
          value={model}
          error={errorAt('model')}
          onChange={(value) => setModel(String(value ?? ''))}
        />
        <p className={styles.note}>
          {settings.limit !== null && project && analyses.data ? t.cap(f.money(settings.limit), f.money(spentToday(analyses.data.data, new Date()))) : t.capUnknown}
        </p>
        {error && !['project_id', 'endpoint', 'record_id', 'model'].includes(error.param ?? '') && <ErrorMessage error={error} />}
      </form>
    </Dialog>
  )
}
