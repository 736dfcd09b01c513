import { useState } from 'react'
import { useChange, useRead } from '@/api/hooks'
import type { Schema } from '@/api/types'
import { FieldInput } from '@/form/FieldInput'
import { FormError } from '@/form/FormError'
import type { Field } from '@/form/field'
import formStyles from '@/form/form.module.css'
import { type Form, useForm } from '@/form/useForm'
import { useLanguage } from '@/i18n/language'
import { Button } from '@/ui/Button'
import { Loaded } from '@/ui/Feedback'
import { useUiMessages } from '@/ui/messages'
import { providerFields } from './fields'
import { useMessages } from './messages'
import styles from './ProviderForm.module.css'

type Provider = Schema<'AiProviderView'>

interface ProviderFormProps {
  /** What is changed; without it the form is for a new provider. */
  existing?: Provider
  /** Called with the provider when it was created or changed. */
  onDone: (provider: Provider) => void
  onCancel?: () => void
}

/** The form of a provider, made from the schema of its kind. A new one begins with the choice of its kind. */
export function ProviderForm({ existing, onDone, onCancel }: ProviderFormProps) {
  const kinds = useRead('/api/v1/ai_provider_kinds', {}, { enabled: !existing })
  const [chosen, setChosen] = useState<string | null>(null)
  if (existing) return <Configuration kind={existing.kind} schema={existing.config_schema} existing={existing} onDone={onDone} onCancel={onCancel} />
  return (
    <Loaded query={kinds}>
      {({ data }) => {
        const kind = data.find((each) => each.name === chosen)
        return (
          <div className={styles.provider}>
            <Kinds kinds={data} chosen={chosen} onChoose={setChosen} />
            {/* Each kind has a form of its own, so that nothing of another one stays. */}
            {kind && <Configuration key={kind.name} kind={kind.name} schema={kind.config_schema} about={kind} onDone={onDone} onCancel={onCancel} />}
          </div>
        )
      }}
    </Loaded>
  )
}

function Kinds({ kinds, chosen, onChoose }: { kinds: Schema<'AiProviderKind'>[]; chosen: string | null; onChoose: (name: string) => void }) {
  const t = useMessages()
  return (
    <fieldset className={styles.kinds}>
      <legend>{t.kind}</legend>
      {kinds.map((kind) => (
        <label key={kind.name} className={styles.kind}>
          <input type="radio" name="kind" value={kind.name} checked={chosen === kind.name} onChange={() => onChoose(kind.name)} />
          <span>
            <strong>{kind.display_name}</strong> <span className={formStyles.help}>{t.kinds[kind.name]}</span>
          </span>
        </label>
      ))}
    </fieldset>
  )
}

interface ConfigurationProps extends ProviderFormProps {
  kind: string
  schema: object
  about?: Schema<'AiProviderKind'>
}

function Configuration({ kind, schema, about, existing, onDone, onCancel }: ConfigurationProps) {
  const t = useMessages()
  const ui = useUiMessages()
  const language = useLanguage()
  const create = useChange('post', '/api/v1/ai_providers', ['/api/v1/ai_providers'])
  const update = useChange('patch', '/api/v1/ai_providers/{id}', ['/api/v1/ai_providers'])
  const { main, more } = providerFields(kind, schema, language)
  const name: Field = { name: 'name', label: t.name, help: t.nameHelp, isRequired: true, initial: kind }
  const displayName: Field = { name: 'display_name', label: t.displayName, initial: about?.display_name }
  const first = existing ? [displayName, ...main] : [name, displayName, ...main]
  const form = useForm({
    fields: [...first, ...more],
    existing,
    onSubmit: async (body, ifMatch) => {
      const saved = existing
        ? await update.mutateAsync({ params: { id: existing.id }, body: body as Schema<'AiProviderUpdate'>, ifMatch })
        : await create.mutateAsync({ body: { ...body, kind } as Schema<'AiProviderCreate'> })
      onDone(saved)
    },
    onDone: existing && onCancel,
  })
  const isOtherOrigin = (update.error ?? create.error)?.code === 'secret_required'
  return (
    <form id={form.id} className={formStyles.form} onSubmit={form.submit}>
      <Fields form={form} fields={first} existing={existing} />
      {isOtherOrigin && <p className={styles.note}>{t.otherOrigin}</p>}
      <details className={formStyles.more} open={more.some((field) => form.errorOf(field)) || undefined}>
        <summary>{t.more}</summary>
        <div className={formStyles.form}>
          <Fields form={form} fields={more} existing={existing} />
        </div>
      </details>
      {about && (
        <p className={formStyles.help}>
          {t.endpoints}: {about.endpoints.join(', ')}
          {about.unsupported_features.length > 0 && (
            <>
              . {t.unsupported}: {about.unsupported_features.join(', ')}
            </>
          )}
        </p>
      )}
      <FormError form={form} />
      <div className={styles.actions}>
        {onCancel && <Button onClick={onCancel}>{ui.cancel}</Button>}
        <Button look="primary" type="submit" isBusy={form.isBusy}>
          {existing ? ui.save : t.add}
        </Button>
      </div>
    </form>
  )
}

function Fields({ form, fields, existing }: { form: Form; fields: Field[]; existing?: Provider }) {
  return fields.map((field) => (
    <FieldInput key={`${form.round} ${field.name}`} field={field} existing={existing} value={form.valueOf(field)} error={form.errorOf(field)} onChange={(value) => form.setValue(field.name, value)} />
  ))
}
