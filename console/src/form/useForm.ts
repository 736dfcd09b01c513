import { type FormEvent, useEffect, useId, useState } from 'react'
import { ApiError } from '@/api/request'
import { versionOf } from '@/api/version'
import { bodyOf, carriedOver, changedFields, type Field, initialValues, type Values } from './field'

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

/** What somebody else has changed since the form was opened. */
export interface Conflict {
  /** Id of what is changed, if it has one. */
  id: string | undefined
  fields: Field[]
  before: object
  /** None while it isn't read. */
  after: object | undefined
  /** Sends what was entered on top of it. */
  keepMine: () => Promise<void>
  /** Fills the form with what is there now. */
  startAgain: () => void
}

export interface Form {
  id: string
  /** Another one where the values were replaced: controls that keep a text of their own begin anew. */
  round: number
  fields: Field[]
  values: Values
  valueOf: (field: Field) => unknown
  setValue: (name: string, value: unknown) => void
  errorOf: (field: Field) => string | undefined
  /** The error, if it names none of the fields and isn't the conflict. */
  error: ApiError | null
  conflict: Conflict | null
  isBusy: boolean
  submit: (event: FormEvent) => Promise<void>
}

/** The state of a form. An error of the API that names a field belongs to the field. */
export function useForm({ fields: given, existing: newest, onSubmit, onDone }: FormOptions): Form {
  // What was there when the form was opened: what is read meanwhile must not make untouched fields look changed.
  const [existing, setExisting] = useState(newest)
  const [round, setRound] = useState(0)
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
  const entered = () => Object.fromEntries(fields.map((field) => [field.name, valueOf(field)]))

  async function sendChanges(values: Values, base: object | undefined) {
    setError(null)
    const body = bodyOf(fields, values, base)
    if (base && Object.keys(body).length === 0) return onDone?.()
    setBusy(true)
    try {
      await onSubmit(body, isRow(base) ? versionOf(base) : undefined)
      onDone?.()
    } catch (cause) {
      setError(cause instanceof ApiError ? cause : new ApiError(0, 'failed', String(cause), null, null))
    } finally {
      setBusy(false)
    }
  }
  function replace(values: Values) {
    setValues(values)
    setExisting(newest)
    setRound(round + 1)
  }

  const isStale = error?.status === 412 && existing !== undefined
  const after = isRow(existing) && isRow(newest) && newest.updated_at !== existing.updated_at ? newest : undefined
  const conflict: Conflict | null = isStale
    ? {
        id: 'id' in existing ? String(existing.id) : undefined,
        fields: after ? changedFields(fields, existing, after) : [],
        before: existing,
        after,
        keepMine: async () => {
          if (!after) return
          const mine = carriedOver(fields, entered(), existing, after)
          replace(mine)
          await sendChanges(mine, after)
        },
        startAgain: () => {
          setError(null)
          replace(initialValues(fields, after))
        },
      }
    : null

  return {
    id,
    round,
    fields,
    values,
    valueOf,
    setValue: (name, value) => setValues((previous) => ({ ...previous, [name]: value })),
    errorOf: (field) => (error ? errorAt(error, field) : undefined),
    error: error && !conflict && !fields.some((field) => errorAt(error, field)) ? error : null,
    conflict,
    isBusy,
    submit: async (event) => {
      event.preventDefault()
      event.stopPropagation()
      await sendChanges(entered(), existing)
    },
  }
}

function isRow(existing: object | undefined): existing is { updated_at: string } {
  return existing !== undefined && 'updated_at' in existing && typeof existing.updated_at === 'string'
}

function errorAt(error: ApiError, field: Field): string | undefined {
  const isHere = error.param === field.name || error.param?.startsWith(`${field.name}.`) || error.param?.startsWith(`${field.name}[`)
  return isHere ? error.message : undefined
}
