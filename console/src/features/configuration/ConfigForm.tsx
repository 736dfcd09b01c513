import { RotateCcw } from 'lucide-react'
import { type FormEvent, useState } from 'react'
import { useChange } from '@/api/hooks'
import { ApiError } from '@/api/request'
import { useCan } from '@/api/session'
import type { Schema } from '@/api/types'
import { changedFields, valueAt } from '@/form/field'
import { FieldInput } from '@/form/FieldInput'
import { ConflictNotice } from '@/form/FormError'
import type { Conflict } from '@/form/useForm'
import { useLanguage } from '@/i18n/language'
import { Badge } from '@/ui/Badge'
import { Button, IconButton } from '@/ui/Button'
import { ConfirmDialog } from '@/ui/Dialog'
import { ErrorMessage } from '@/ui/Feedback'
import { Card } from '@/ui/Page'
import { notify } from '@/ui/Toasts'
import { useUiMessages } from '@/ui/messages'
import styles from './configuration.module.css'
import { type ConfigField, configFields, enteredValue, hasPath, rebasedValue, shownValue, withoutPath, withPath } from './fields'
import { useMessages } from './messages'
import { SourceBadge } from './SourceBadge'
import { fieldText } from './texts'
import { WholeValue } from './WholeValue'

interface ConfigFormProps {
  setting: Schema<'SystemConfigView'>
  version: string | undefined
  /** The value of the level below, if it is known. */
  below: unknown
}

/** The value that is set at a level, field by field. Fields that aren't set show the value of the level below. */
export function ConfigForm({ setting, version, below }: ConfigFormProps) {
  const t = useMessages()
  const ui = useUiMessages()
  const language = useLanguage()
  const can = useCan()
  const { config_key: key, level } = setting
  const [opened, setOpened] = useState({ setting, version })
  const before = (opened.setting.set_value ?? {}) as Record<string, unknown>
  const newest = (setting.set_value ?? {}) as Record<string, unknown>
  const [draft, setDraft] = useState(before)
  const [error, setError] = useState<ApiError | null>(null)
  const [isResetting, setResetting] = useState(false)
  // Controls that keep their own text begin anew when a value is reset.
  const [resets, setResets] = useState(0)
  const target = { params: { key }, query: { level }, ifMatch: opened.version }
  const put = useChange('put', '/api/v1/system_config/{key}', ['/api/v1/system_config'])
  const patch = useChange('patch', '/api/v1/system_config/{key}', ['/api/v1/system_config'])
  const unset = useChange('delete', '/api/v1/system_config/{key}', ['/api/v1/system_config'])
  const mayWrite = can('system_config:write')
  const fields = configFields(setting.value_schema).map((field) => ({ ...field, label: fieldText(key, field.name, language) ?? field.label }))
  const isChanged = JSON.stringify(draft) !== JSON.stringify(before)
  const isNewer = version !== opened.version
  // What was set meanwhile is shown at once, unless that would undo what is being entered.
  if (isNewer && (!isChanged || JSON.stringify(draft) === JSON.stringify(newest))) takeOver(newest)

  // What a tenant inherits is known where nothing of its own is in the way.
  const inherited = (name: string) => valueAt(below ?? (hasPath(before, name) ? undefined : setting.config_value), name)
  function reset(value: Record<string, unknown>) {
    setDraft(value)
    setResets(resets + 1)
  }
  /** Begins anew from what is set now. */
  function takeOver(value: Record<string, unknown>) {
    setOpened({ setting, version })
    setError(null)
    reset(value)
  }
  async function save(value: object, ifMatch = opened.version) {
    setError(null)
    setDraft(value as Record<string, unknown>)
    try {
      const saved = await (Object.keys(value).length === 0 && setting.is_active
        ? unset.mutateAsync({ ...target, ifMatch })
        : put.mutateAsync({ ...target, ifMatch, body: { config_value: value } }))
      setDraft((saved?.set_value ?? {}) as Record<string, unknown>)
      notify(t.saved)
    } catch (cause) {
      setError(cause as ApiError)
    }
  }
  function submit(event: FormEvent) {
    event.preventDefault()
    void save(draft)
  }
  async function restore() {
    setError(null)
    try {
      await patch.mutateAsync({ ...target, body: { is_active: true } })
    } catch (cause) {
      setError(cause as ApiError)
    }
  }
  const errorAt = (name: string) => (error?.param === `config_value.${name}` || error?.param?.startsWith(`config_value.${name}.`) ? error.message : undefined)
  const misplaced = error && !fields.some((field) => errorAt(field.name)) ? error : null

  const input = (field: ConfigField) => {
    const isSet = hasPath(draft, field.name)
    const value = isSet ? valueAt(draft, field.name) : inherited(field.name)
    const shown = field.isMap && isSet ? { ...(inherited(field.name) as object), ...(value as object) } : value
    return (
      <div key={field.name} className={styles.fieldRow}>
        <FieldInput
          key={resets}
          field={{
            ...field,
            help: field.isMap ? t.mapHelp : field.isNullable ? t.nullHelp : undefined,
            options: field.options?.map((option) => ({ ...option, label: t.choices[option.value] ?? option.label })),
          }}
          value={shownValue(field, shown)}
          error={errorAt(field.name)}
          onChange={(entered) => setDraft((previous) => withPath(previous, field.name, enteredValue(field, entered, inherited(field.name))))}
        />
        <span className={styles.fieldState}>
          {isSet ? <Badge tone="info">{t.setHere}</Badge> : <span className={styles.muted}>{t.inheritedFrom[level]}</span>}
          {isSet && mayWrite && <IconButton label={t.reset(field.label)} icon={<RotateCcw size={15} />} onClick={() => reset(withoutPath(draft, field.name))} />}
        </span>
      </div>
    )
  }
  const isBusy = put.isPending || unset.isPending
  const conflict: Conflict | null = isNewer && !isBusy
    ? {
        id: key,
        fields: fields.length > 0 ? changedFields(fields, before, newest) : [{ name: 'config_value', label: t.value }],
        before: fields.length > 0 ? before : { config_value: before },
        after: fields.length > 0 ? newest : { config_value: newest },
        keepMine: async () => {
          const mine = fields.length === 0 ? draft : rebasedValue(fields, before, draft, newest)
          takeOver(mine)
          await save(mine, version)
        },
        startAgain: () => takeOver(newest),
      }
    : null
  const groups = [...new Set(fields.map((field) => field.group))]

  return (
    <Card
      title={t.levels[level]}
      actions={
        <span className={styles.fieldState}>
          {t.source} <SourceBadge source={setting.source} />
        </span>
      }
    >
      {fields.length === 0 ? (
        <>
          <WholeValue key={resets} setting={opened.setting} error={conflict ? null : error} isBusy={isBusy} onSave={mayWrite ? save : undefined} />
          {conflict && <ConflictNotice conflict={conflict} />}
        </>
      ) : (
        <form className={styles.form} onSubmit={submit}>
          <fieldset disabled={!mayWrite} className={styles.fields}>
            {groups.map((group) =>
              group === undefined ? (
                fields.filter((field) => !field.group).map(input)
              ) : (
                <fieldset key={group} className={styles.group}>
                  <legend>{fieldText(key, group, language) ?? group}</legend>
                  {fields.filter((field) => field.group === group).map(input)}
                </fieldset>
              ),
            )}
          </fieldset>
          {conflict ? <ConflictNotice conflict={conflict} /> : misplaced && <ErrorMessage error={misplaced} />}
          {mayWrite && (
            <div className={styles.buttons}>
              <Button look="primary" type="submit" disabled={!isChanged} isBusy={isBusy}>
                {ui.save}
              </Button>
              <Button disabled={!isChanged} onClick={() => reset(before)}>
                {t.discard}
              </Button>
              {!setting.is_active && setting.version > 0 && <Button onClick={() => void restore()}>{t.restore}</Button>}
              {setting.is_active && (
                <Button look="danger" onClick={() => setResetting(true)}>
                  {t.resetAll}
                </Button>
              )}
            </div>
          )}
        </form>
      )}
      <ConfirmDialog
        title={t.resetTitle}
        description={t.resetHelp}
        action={t.resetAll}
        isOpen={isResetting}
        onClose={() => setResetting(false)}
        onConfirm={async () => {
          await unset.mutateAsync(target)
          notify(t.isReset)
        }}
      />
    </Card>
  )
}
