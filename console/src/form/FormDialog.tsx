import { type FormEvent, type ReactNode, useId, useState } from 'react'
import { ApiError } from '@/api/request'
import { Button } from '@/ui/Button'
import { Dialog } from '@/ui/Dialog'
import { ErrorMessage } from '@/ui/Feedback'
import { useUiMessages } from '@/ui/messages'
import { FieldInput } from './FieldInput'
import { bodyOf, type Field, initialValues, type Values } from './field'
import styles from './form.module.css'
import { useFormMessages } from './messages'

interface FormDialogProps {
  title: string
  description?: string
  /** The fields, which may depend on the values so far. */
  fields: Field[] | ((values: Values) => Field[])
  /** What is changed; without it the form is for something new. */
  existing?: object
  action?: string
  onClose: () => void
  /** Sends the body: only what has changed, of what exists. */
  onSubmit: (body: Record<string, unknown>) => Promise<unknown>
  /** Stands below the fields. */
  children?: ReactNode
  size?: 'normal' | 'wide'
}

/** A form in a window. An error of the API that names a field stands at the field. */
export function FormDialog({ title, description, fields: given, existing, action, onClose, onSubmit, children, size }: FormDialogProps) {
  const ui = useUiMessages()
  const t = useFormMessages()
  const id = useId()
  const fieldsOf = (values: Values) => (typeof given === 'function' ? given(values) : given)
  const [values, setValues] = useState<Values>(() => initialValues(fieldsOf(existing ? (existing as Values) : {}), existing))
  const [error, setError] = useState<ApiError | null>(null)
  const [isBusy, setBusy] = useState(false)
  const fields = fieldsOf(values)
  const misplaced = error && !fields.some((field) => errorAt(error, field)) ? error : null

  async function submit(event: FormEvent) {
    event.preventDefault()
    event.stopPropagation()
    setError(null)
    const body = bodyOf(fields, { ...initialValues(fields, existing), ...values }, existing)
    if (existing && Object.keys(body).length === 0) return onClose()
    setBusy(true)
    try {
      await onSubmit(body)
      onClose()
    } catch (cause) {
      const api = cause instanceof ApiError ? cause : new ApiError(0, 'failed', String(cause), null, null)
      setError(api.status === 412 ? new ApiError(412, api.code, t.changedMeanwhile, null, api.requestId) : api)
    } finally {
      setBusy(false)
    }
  }

  return (
    <Dialog
      title={title}
      description={description}
      isOpen
      onClose={onClose}
      size={size}
      actions={
        <>
          <Button onClick={onClose}>{ui.cancel}</Button>
          <Button look="primary" type="submit" form={id} isBusy={isBusy}>
            {action ?? (existing ? ui.save : ui.create)}
          </Button>
        </>
      }
    >
      <form id={id} className={styles.form} onSubmit={submit}>
        {fields.map((field) => (
          <FieldInput
            key={field.name}
            field={field}
            existing={existing}
            value={field.name in values ? values[field.name] : initialValues([field], existing)[field.name]}
            error={error ? errorAt(error, field) : undefined}
            onChange={(value) => setValues((previous) => ({ ...previous, [field.name]: value }))}
          />
        ))}
        {children}
        {misplaced && <ErrorMessage error={misplaced} />}
      </form>
    </Dialog>
  )
}

function errorAt(error: ApiError, field: Field): string | undefined {
  const isHere = error.param === field.name || error.param?.startsWith(`${field.name}.`) || error.param?.startsWith(`${field.name}[`)
  return isHere ? error.message : undefined
}
