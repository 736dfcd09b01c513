import { useEffect, useState } from 'react'
import { useChange, useRead } from '@/api/hooks'
import type { Schema } from '@/api/types'
import { FieldInput } from '@/form/FieldInput'
import { FormError } from '@/form/FormError'
import type { Field } from '@/form/field'
import formStyles from '@/form/form.module.css'
import { useForm } from '@/form/useForm'
import { useWords } from '@/i18n/words'
import { Button } from '@/ui/Button'
import { Dialog } from '@/ui/Dialog'
import { useUiMessages } from '@/ui/messages'
import { useMessages } from './messages'
import styles from './RouteForm.module.css'
import { TargetEditor } from './TargetEditor'
import { newRow, rowsOf, type TargetRow, targetsOf } from './targets'

type Route = Schema<'ModelRouteView'>

/** The form of a route. */
export function RouteForm({ existing, onClose }: { existing?: Route; onClose: () => void }) {
  const t = useMessages()
  const w = useWords()
  const ui = useUiMessages()
  const create = useChange('post', '/api/v1/model_routes', ['/api/v1/model_routes'])
  const update = useChange('patch', '/api/v1/model_routes/{id}', ['/api/v1/model_routes'])
  const others = useRead('/api/v1/model_routes', { query: { limit: 200 } })
  const [rows, setRows] = useState(() => (existing ? rowsOf(existing.targets) : [newRow()]))
  const number = (name: string, label: string, help: string, min = 0): Field => ({ name, label, help, kind: 'number', min })
  const groups: [string, Field[]][] = [
    [t.timeouts, [number('timeouts.connect', t.connect, t.connectHelp), number('timeouts.first_token', t.firstToken, t.firstTokenHelp), number('timeouts.idle', t.idle, t.idleHelp), number('timeouts.total', t.total, t.totalHelp)]],
    [t.retries, [{ ...number('retries.rounds', t.rounds, t.roundsHelp), placeholder: '2', step: 1 }, { ...number('retries.backoff', t.backoff, t.backoffHelp), placeholder: '0.25' }, { ...number('retries.max_backoff', t.maxBackoff, t.maxBackoffHelp), placeholder: '8' }]],
    [t.coolDown, [{ ...number('cool_down.failures', t.failures, t.failuresHelp), placeholder: '3', step: 1 }, { ...number('cool_down.seconds', t.coolDownSeconds, t.coolDownHelp), placeholder: '5' }]],
    [t.cache, [{ ...number('cache_seconds', t.cache, t.cacheHelp), step: 1 }]],
  ]
  const alias: Field = { name: 'alias', label: t.alias, help: t.aliasHelp, isRequired: true, placeholder: 'chat' }
  // The editor draws it: only its value and its error are the form's.
  const targets: Field = { name: 'targets', label: t.targets, kind: 'json', initial: targetsOf(rows) }
  const form = useForm({
    fields: [...(existing ? [] : [alias]), targets, ...groups.flatMap(([, fields]) => fields)],
    existing,
    onSubmit: (body, ifMatch) => (existing ? update.mutateAsync({ params: { id: existing.id }, body, ifMatch }) : create.mutateAsync({ body: body as Schema<'ModelRouteCreate'> })),
    onDone: onClose,
  })
  const { round } = form
  useEffect(() => {
    if (round > 0) setRows(rowsOf(form.valueOf(targets) as Route['targets']))
  }, [round])
  function changeRows(changed: TargetRow[]) {
    setRows(changed)
    form.setValue('targets', targetsOf(changed))
  }
  const aliases = (others.data?.data ?? []).map((route) => route.alias).filter((each) => each !== existing?.alias)
  return (
    <Dialog
      title={existing ? t.editTitle(existing.alias) : t.newTitle}
      isOpen
      onClose={onClose}
      size="wide"
      actions={
        <>
          <Button onClick={onClose}>{ui.cancel}</Button>
          <Button look="primary" type="submit" form={form.id} isBusy={form.isBusy}>
            {existing ? ui.save : ui.create}
          </Button>
        </>
      }
    >
      <form id={form.id} className={formStyles.form} onSubmit={form.submit}>
        {!existing && <FieldInput field={alias} value={form.valueOf(alias)} error={form.errorOf(alias)} onChange={(value) => form.setValue('alias', value)} />}
        <TargetEditor rows={rows} onChange={changeRows} aliases={aliases} error={form.errorOf(targets)} />
        <details className={formStyles.more}>
          <summary>{w.more}</summary>
          {groups.map(([name, fields]) => (
            <fieldset key={name} className={styles.group}>
              <legend>{name}</legend>
              <div className={styles.fields}>
                {fields.map((field) => (
                  <FieldInput key={`${form.round} ${field.name}`} field={field} value={form.valueOf(field)} error={form.errorOf(field)} onChange={(value) => form.setValue(field.name, value)} />
                ))}
              </div>
            </fieldset>
          ))}
        </details>
        <FormError form={form} />
      </form>
    </Dialog>
  )
}
