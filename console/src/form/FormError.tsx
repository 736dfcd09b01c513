import { useEffect, useRef } from 'react'
import { useRead } from '@/api/hooks'
import { useCan } from '@/api/session'
import { Actor } from '@/list/Names'
import { Button } from '@/ui/Button'
import { ErrorMessage } from '@/ui/Feedback'
import { FieldDiff } from '@/ui/FieldDiff'
import { Time } from '@/ui/Time'
import { valueAt } from './field'
import styles from './form.module.css'
import { useFormMessages } from './messages'
import type { Conflict, Form } from './useForm'

/** Why a form couldn't be sent, if no field says it. */
export function FormError({ form }: { form: Form }) {
  if (form.conflict) return <ConflictNotice conflict={form.conflict} isBusy={form.isBusy} />
  return form.error && <ErrorMessage error={form.error} />
}

/** Tells who has changed the same thing meanwhile, and what, and asks which values shall stay. */
export function ConflictNotice({ conflict, isBusy }: { conflict: Conflict; isBusy?: boolean }) {
  const t = useFormMessages()
  const { fields, before, after } = conflict
  const notice = useRef<HTMLDivElement>(null)
  useEffect(() => void notice.current?.scrollIntoView({ block: 'nearest' }), [after])
  const pick = (values: object) => Object.fromEntries(fields.map(({ name }) => [name, valueAt(values, name)]).filter(([, value]) => value !== undefined))
  return (
    <div ref={notice} className={styles.conflict} role="alert">
      <p className={styles.label}>{t.changedMeanwhile}</p>
      {conflict.id && <ChangedBy id={conflict.id} />}
      {after && (
        <>
          {fields.length > 0 ? <FieldDiff label={t.changes} before={pick(before)} after={pick(after)} nameOf={(path) => fields.find(({ name }) => name === path)?.label} /> : <p>{t.noFieldChanged}</p>}
          <div className={styles.choice}>
            <Button isBusy={isBusy} onClick={() => void conflict.keepMine()}>
              {t.keepMine}
            </Button>
            <Button disabled={isBusy} onClick={conflict.startAgain}>
              {t.startAgain}
            </Button>
          </div>
        </>
      )}
    </div>
  )
}

function ChangedBy({ id }: { id: string }) {
  const t = useFormMessages()
  const can = useCan()
  const changes = useRead('/api/v1/audit_logs', { query: { resource_id: id, limit: 1 } }, { enabled: can('audit_logs:read') })
  const last = changes.data?.data[0]
  if (!last) return null
  return (
    <p className={styles.help}>
      {t.changedBy} <Actor actor={last.actor} /> · <Time at={last.created_at} />
    </p>
  )
}
