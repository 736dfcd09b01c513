import { type FormEvent, useState } from 'react'
import { ApiError, request } from '@/api/request'
import { FieldInput } from '@/form/FieldInput'
import { Button } from '@/ui/Button'
import { ErrorMessage } from '@/ui/Feedback'
import { useAppMessages } from './messages'
import styles from './LogIn.module.css'

/** Changes the own password: after the first log-in, or whenever one likes. */
export function PasswordForm({ isRequired, onChanged }: { isRequired?: boolean; onChanged: () => unknown }) {
  const t = useAppMessages()
  const [values, setValues] = useState<Record<string, string>>({})
  const [error, setError] = useState<ApiError | null>(null)
  const [isBusy, setBusy] = useState(false)
  async function submit(event: FormEvent) {
    event.preventDefault()
    if (values.new !== values.repeated) return setError(new ApiError(0, 'passwords_differ', t.passwordsDiffer, null, null))
    setBusy(true)
    setError(null)
    try {
      await request('post', '/api/v1/session/password', { body: { old_password: values.current ?? '', new_password: values.new ?? '' } })
      await onChanged()
    } catch (cause) {
      setError(cause as ApiError)
    } finally {
      setBusy(false)
    }
  }
  const set = (name: string) => (value: unknown) => setValues((previous) => ({ ...previous, [name]: String(value) }))
  const form = (
    <form className={isRequired ? styles.form : styles.plain} onSubmit={submit}>
      {isRequired && (
        <div>
          <h1>{t.choosePassword}</h1>
          <p>{t.choosePasswordWhy}</p>
        </div>
      )}
      <FieldInput field={{ name: 'current', label: t.currentPassword, kind: 'password', isRequired: true }} value={values.current} onChange={set('current')} />
      <FieldInput field={{ name: 'new', label: t.newPassword, kind: 'password', isRequired: true, help: t.passwordHint }} value={values.new} onChange={set('new')} />
      <FieldInput field={{ name: 'repeated', label: t.repeatPassword, kind: 'password', isRequired: true }} value={values.repeated} onChange={set('repeated')} />
      {error && <ErrorMessage error={error} />}
      <Button look="primary" type="submit" isBusy={isBusy}>
        {t.changePassword}
      </Button>
    </form>
  )
  return isRequired ? <main className={styles.page}>{form}</main> : form
}
