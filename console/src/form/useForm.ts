import { type FormEvent, useEffect, useId, useState } from 'react'
import { ApiError } from '@/api/request'
import { versionOf } from '@/api/version'
import { bodyOf, type Field, initialValues, type Values } from './field'
import { useFormMessages } from './messages'

interface FormOptions {
  /** The fields, which may depend on the values so far. */
  fields: Field[] | ((values: Values) => Field[])
  /** What is changed; without it the form is for something new. */
  existing?: object
  /** Sends the body: only what has changed, of what exists; and the version of what exists, for `If-Match`. */
  onSubmit: (body: Record<string, unknown>, version?: string) => Promise<unknown>
  /** Called when it was sent, or nothing had changed. */
  onDone?: () => void
}

export interface Form {
  id: string
  fields: Field[]
  values: Values
  valueOf: (field: Field) => unknown
  setValue: (name: string, value: unknown) => void
  errorOf: (field: Field) => string | undefined
  /** The error, if it names none of the fields. */
  error: ApiError | null
  isBusy: boolean
  submit: (event: FormEvent) => Promise<void>
}

/** The state of a form. An error of the API that names a field belongs to the field. */
export function useForm({ fields: given, existing: newest, onSubmit, onDone }: FormOptions): Form {
  // What was there when the form was opened: what is read meanwhile must not make untouched fields look changed.
  const [existing] = useState(newest)
  const t = useFormMessages()
  const id = useId()
  const fieldsOf = (values: Values) => (typeof given === 'function' ? given(values) : given)
  const [values, setValues] = useState<Values>(() => initialValues(fieldsOf(existing ? (existing as Values) : {}), existing))
  const [error, setError] = useState<ApiError | null>(null)
  const [isBusy, setBusy] = useState(false)
  const fields = fieldsOf(values)
  useEffect(() => {
    if (error) document.getElementById(id)?.querySelector<HTMLElement>('[aria-invalid]')?.focus()
  }, [error, id])

  function valueOf(field: Field): unknown {
    const value = field.name in values ? values[field.name] : initialValues([field], existing)[field.name]
    // The options may depend on other values: what they no longer offer isn't chosen.
    const isGone = !existing && field.kind === 'choice' && !field.options?.some((option) => option.value === value)
    if (!isGone) return value
    // Where there is only one thing to choose, it is chosen.
    return field.isRequired && field.options?.length === 1 ? field.options[0]?.value : undefined
  }

  async function submit(event: FormEvent) {
    event.preventDefault()
    event.stopPropagation()
    setError(null)
    const body = bodyOf(fields, Object.fromEntries(fields.map((field) => [field.name, valueOf(field)])), existing)
    if (existing && Object.keys(body).length === 0) return onDone?.()
    setBusy(true)
    try {
      await onSubmit(body, isRow(existing) ? versionOf(existing) : undefined)
      onDone?.()
    } catch (cause) {
      const api = cause instanceof ApiError ? cause : new ApiError(0, 'failed', String(cause), null, null)
      setError(api.status === 412 ? new ApiError(412, api.code, t.changedMeanwhile, null, api.requestId) : api)
    } finally {
      setBusy(false)
    }
  }

  return {
    id,
    fields,
    values,
    valueOf,
    setValue: (name, value) => setValues((previous) => ({ ...previous, [name]: value })),
    errorOf: (field) => (error ? errorAt(error, field) : undefined),
    error: error && !fields.some((field) => errorAt(error, field)) ? error : null,
    isBusy,
    submit,
  }
}

function isRow(existing: object | undefined): existing is { updated_at: string } {
  return existing !== undefined && 'updated_at' in existing && typeof existing.updated_at === 'string'
}

function errorAt(error: ApiError, field: Field): string | undefined {
  const isHere = error.param === field.name || error.param?.startsWith(`${field.name}.`) || error.param?.startsWith(`${field.name}[`)
  return isHere ? error.message : undefined
}
