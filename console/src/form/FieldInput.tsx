import { useId, useState } from 'react'
import { valueAt, type Field } from './field'
import styles from './form.module.css'
import { useFormMessages } from './messages'
import { SecretsInput } from './SecretsInput'

interface FieldInputProps {
  field: Field
  value: unknown
  error?: string
  /** What is there now, to tell that a secret is set. */
  existing?: object
  onChange: (value: unknown) => void
}

/** The label, control, help and error of a field. */
export function FieldInput({ field, value, error, existing, onChange }: FieldInputProps) {
  const id = useId()
  const described = [field.help && `${id}-help`, error && `${id}-error`].filter(Boolean).join(' ') || undefined
  // A secret that is set needn't be written again.
  const isRequired = field.isRequired && !(field.kind === 'secret' && valueAt(existing, field.name))
  const common = { id, required: isRequired, 'aria-invalid': error ? true : undefined, 'aria-describedby': described }
  const isCheck = field.kind === 'boolean'
  return (
    <div className={styles.field}>
      {field.kind === 'choices' ? (
        <Choices field={field} value={value} onChange={onChange} described={described} />
      ) : isCheck ? (
        <label className={styles.check}>
          <input type="checkbox" {...common} required={false} checked={value === true} onChange={(event) => onChange(event.target.checked)} /> {field.label}
        </label>
      ) : (
        <>
          <label htmlFor={id} className={styles.label}>
            {field.label}
            {isRequired && <span aria-hidden> *</span>}
          </label>
          <Control field={field} value={value} existing={existing} onChange={onChange} common={common} />
        </>
      )}
      {field.help && (
        <div id={`${id}-help`} className={styles.help}>
          {field.help}
        </div>
      )}
      {error && (
        <div id={`${id}-error`} className={styles.error} role="alert">
          {error}
        </div>
      )}
    </div>
  )
}

interface ControlProps {
  field: Field
  value: unknown
  existing?: object
  onChange: (value: unknown) => void
  common: { id: string }
}

function Control({ field, value, existing, onChange, common }: ControlProps) {
  const t = useFormMessages()
  const text = value === undefined || value === null ? '' : String(value)
  switch (field.kind) {
    case 'multiline':
      return <textarea {...common} className={styles.input} rows={4} value={text} placeholder={field.placeholder} onChange={(event) => onChange(event.target.value)} />
    case 'texts':
      return <Texts {...common} value={value} placeholder={field.placeholder ?? t.onePerLine} onChange={onChange} />
    case 'secrets':
      return <SecretsInput {...common} value={value} onChange={onChange} />
    case 'json':
      return <Json {...common} value={value} onChange={onChange} />
    case 'number':
      return (
        <input
          {...common}
          type="number"
          className={styles.input}
          value={text}
          min={field.min}
          max={field.max}
          step={field.step ?? 'any'}
          placeholder={field.placeholder}
          onChange={(event) => onChange(event.target.value === '' ? undefined : event.target.valueAsNumber)}
        />
      )
    case 'choice':
      return (
        <select {...common} className={styles.input} value={text} onChange={(event) => onChange(event.target.value || undefined)}>
          {(!field.isRequired || !text) && <option value="">{field.isRequired ? t.choose : t.notSet}</option>}
          {text && !field.options?.some((option) => option.value === text) && <option value={text}>{text}</option>}
          {field.options?.map((option) => (
            <option key={option.value} value={option.value}>
              {option.label}
            </option>
          ))}
        </select>
      )
    case 'time':
      return <input {...common} type="datetime-local" className={styles.input} value={localTime(text)} onChange={(event) => onChange(event.target.value ? new Date(event.target.value).toISOString() : undefined)} />
    case 'secret': {
      const sealed = valueAt(existing, field.name) as { last4?: string } | null | undefined
      return <input {...common} type="password" autoComplete="new-password" className={styles.input} value={text} placeholder={sealed ? t.keepSecret(sealed.last4 ?? '') : field.placeholder} onChange={(event) => onChange(event.target.value)} />
    }
    default:
      return (
        <input
          {...common}
          type={field.kind === 'password' ? 'password' : field.kind === 'email' ? 'email' : 'text'}
          autoComplete={field.kind === 'password' ? 'new-password' : 'off'}
          className={styles.input}
          value={text}
          placeholder={field.placeholder}
          onChange={(event) => onChange(event.target.value)}
        />
      )
  }
}

function Choices({ field, value, onChange, described }: { field: Field; value: unknown; onChange: (value: unknown) => void; described?: string }) {
  const chosen = Array.isArray(value) ? (value as string[]) : []
  return (
    <fieldset className={styles.choices} aria-describedby={described}>
      <legend className={styles.label}>{field.label}</legend>
      {field.options?.map((option) => (
        <label key={option.value} className={styles.check}>
          <input type="checkbox" checked={chosen.includes(option.value)} onChange={(event) => onChange(event.target.checked ? [...chosen, option.value] : chosen.filter((each) => each !== option.value))} /> {option.label}
        </label>
      ))}
    </fieldset>
  )
}

/** A list of texts, one on each line. */
function Texts({ id, value, placeholder, onChange }: { id: string; value: unknown; placeholder: string; onChange: (value: unknown) => void }) {
  const [text, setText] = useState(() => (Array.isArray(value) ? value.join('\n') : ''))
  return (
    <textarea
      id={id}
      className={styles.input}
      rows={3}
      value={text}
      placeholder={placeholder}
      onChange={(event) => {
        setText(event.target.value)
        const lines = event.target.value.split('\n').map((line) => line.trim()).filter(Boolean)
        onChange(lines.length > 0 ? lines : undefined)
      }}
    />
  )
}

/** A value as JSON. A text that isn't JSON is kept, and refused when the form is sent. */
function Json({ id, value, onChange }: { id: string; value: unknown; onChange: (value: unknown) => void }) {
  const t = useFormMessages()
  const [text, setText] = useState(() => (value === undefined || value === null ? '' : JSON.stringify(value, null, 2)))
  return (
    <textarea
      id={id}
      className={styles.code}
      rows={6}
      spellCheck={false}
      value={text}
      onChange={(event) => {
        setText(event.target.value)
        try {
          onChange(event.target.value.trim() ? JSON.parse(event.target.value) : undefined)
          event.target.setCustomValidity('')
        } catch {
          event.target.setCustomValidity(t.notJson)
        }
      }}
    />
  )
}

function localTime(text: string): string {
  if (!text) return ''
  const date = new Date(text)
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
}
