import { type FormEvent, useEffect, useState } from 'react'
import { ApiError } from '@/api/request'
import type { Schema } from '@/api/types'
import { FieldInput } from '@/form/FieldInput'
import { Button } from '@/ui/Button'
import { CodeBlock } from '@/ui/Code'
import { ErrorMessage } from '@/ui/Feedback'
import { useAppMessages } from './messages'
import { Preferences } from './Preferences'
import styles from './LogIn.module.css'
import icon from './icon.svg'
import { NoCookie } from './useLogin'

interface LogInProps {
  error: ApiError | null
  onLogIn: (body: Schema<'LogIn'>) => Promise<void>
}

export function LogIn({ error: first, onLogIn }: LogInProps) {
  const t = useAppMessages()
  const [values, setValues] = useState({ name: '', password: '', tenant: '' })
  const [hasTenant, setHasTenant] = useState(false)
  const [error, setError] = useState<ApiError | null>(null)
  const [isBusy, setBusy] = useState(false)
  useEffect(() => {
    document.title = `${t.logIn} · Loam`
  }, [t])
  async function submit(event: FormEvent) {
    event.preventDefault()
    setBusy(true)
    setError(null)
    const name = values.name.includes('@') ? { email: values.name } : { username: values.name }
    try {
      await onLogIn({ ...name, password: values.password, tenant: hasTenant && values.tenant ? values.tenant : undefined })
    } catch (cause) {
      const api = cause instanceof NoCookie ? new ApiError(0, 'no_cookie', t.noCookie, null, null) : (cause as ApiError)
      // The most frequent error of all, in the reader's language; who mistypes needs no ID of the request.
      setError(api.code === 'wrong_credentials' && !hasTenant ? new ApiError(api.status, api.code, t.wrongCredentials, null, null) : api)
    } finally {
      setBusy(false)
    }
  }
  const shown = error ?? first
  return (
    <main className={styles.page}>
      <div className={styles.preferences}>
        <Preferences />
      </div>
      <form className={styles.form} onSubmit={submit}>
        <img src={icon} alt="" width={40} height={40} />
        <h1>{t.logInTo}</h1>
        <label className={styles.label}>
          {t.username}
          <input className={styles.input} required autoFocus autoComplete="username" value={values.name} onChange={(event) => setValues({ ...values, name: event.target.value })} />
        </label>
        <label className={styles.label}>
          {t.password}
          <input className={styles.input} type="password" required autoComplete="current-password" value={values.password} onChange={(event) => setValues({ ...values, password: event.target.value })} />
        </label>
        <FieldInput field={{ name: 'hasTenant', kind: 'boolean', label: t.otherTenant }} value={hasTenant} onChange={(value) => setHasTenant(value === true)} />
        {hasTenant && (
          <label className={styles.label}>
            {t.tenant}
            <input className={styles.input} required autoComplete="organization" value={values.tenant} onChange={(event) => setValues({ ...values, tenant: event.target.value })} />
          </label>
        )}
        {shown && <ErrorMessage error={shown} />}
        <Button look="primary" type="submit" isBusy={isBusy}>
          {t.logIn}
        </Button>
        <div className={styles.hint}>
          {t.firstPassword}
          <CodeBlock code={"loam user list\nloam user reset-password ID"} />
        </div>
      </form>
    </main>
  )
}
