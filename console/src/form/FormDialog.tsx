import type { ReactNode } from 'react'
import { Button } from '@/ui/Button'
import { Dialog } from '@/ui/Dialog'
import { useUiMessages } from '@/ui/messages'
import { FieldInput } from './FieldInput'
import { FormError } from './FormError'
import type { Field, Values } from './field'
import styles from './form.module.css'
import { useForm } from './useForm'

interface FormDialogProps {
  title: string
  description?: string
  /** The fields, which may depend on the values so far. */
  fields: Field[] | ((values: Values) => Field[])
  /** What is changed; without it the form is for something new. */
  existing?: object
  action?: string
  onClose: () => void
  /** Sends the body: only what has changed, of what exists; and the version of what exists, for `If-Match`. */
  onSubmit: (body: Record<string, unknown>, version?: string) => Promise<unknown>
  /** Stands below the fields. */
  children?: ReactNode
  size?: 'normal' | 'wide'
}

/** A form in a window. An error of the API that names a field stands at the field. */
export function FormDialog({ title, description, fields, existing, action, onClose, onSubmit, children, size }: FormDialogProps) {
  const ui = useUiMessages()
  const form = useForm({ fields, existing, onSubmit, onDone: onClose })
  return (
    <Dialog
      title={title}
      description={description}
      isOpen
      // Its end closes it: another window may be open by then.
      onClose={form.isBusy ? () => undefined : onClose}
      size={size}
      actions={
        <>
          <Button disabled={form.isBusy} onClick={onClose}>
            {ui.cancel}
          </Button>
          <Button look="primary" type="submit" form={form.id} isBusy={form.isBusy}>
            {action ?? (existing ? ui.save : ui.create)}
          </Button>
        </>
      }
    >
      <form id={form.id} className={styles.form} onSubmit={form.submit}>
        {form.fields.map((field) => (
          <FieldInput
            key={`${form.round} ${field.name}`}
            field={field}
            existing={existing}
            value={form.valueOf(field)}
            error={form.errorOf(field)}
            onChange={(value) => form.setValue(field.name, value)}
          />
        ))}
        {children}
        <FormError form={form} />
      </form>
    </Dialog>
  )
}
