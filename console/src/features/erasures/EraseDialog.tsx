import { useNavigate } from '@tanstack/react-router'
import { Download } from 'lucide-react'
import { type FormEvent, useId, useState } from 'react'
import { useChange } from '@/api/hooks'
import type { ApiError } from '@/api/request'
import { useCan, useIsOperator } from '@/api/session'
import { FieldInput } from '@/form/FieldInput'
import { download } from '@/list/download'
import { Button } from '@/ui/Button'
import { Dialog } from '@/ui/Dialog'
import { ErrorMessage } from '@/ui/Feedback'
import { useUiMessages } from '@/ui/messages'
import styles from './erasures.module.css'
import { useMessages } from './messages'
import { exportUrl, type SubjectType, subjectTypeOf } from './subject'

/** Asks for the subject, offers a copy of its data, and begins its erasure once its id was typed twice. */
export function EraseDialog({ type: initialType, id: initialId, onClose }: { type?: string; id?: string; onClose: () => void }) {
  const t = useMessages()
  const ui = useUiMessages()
  const can = useCan()
  const isOperator = useIsOperator()
  const navigate = useNavigate()
  const form = useId()
  const [type, setType] = useState<SubjectType>(subjectTypeOf(initialType))
  const [subject, setSubject] = useState(initialId ?? '')
  const [slug, setSlug] = useState('')
  const [again, setAgain] = useState('')
  const [isExporting, setExporting] = useState(false)
  const [error, setError] = useState<ApiError | null>(null)
  const erase = useChange('post', '/api/v1/erasures', ['/api/v1/erasures'])
  const id = subject.trim()
  const isConfirmed = id !== '' && again.trim() === id
  const exported = can('exports:read') ? exportUrl(type, id) : null
  const types = (['end_user', 'user', 'session', 'tenant'] as const).filter((each) => each !== 'tenant' || isOperator)

  async function save() {
    if (!exported) return
    setExporting(true)
    setError(null)
    try {
      await download(exported, `${type}-${id}.jsonl`)
    } catch (cause) {
      setError(cause as ApiError)
    } finally {
      setExporting(false)
    }
  }
  async function submit(event: FormEvent) {
    event.preventDefault()
    if (!isConfirmed) return
    setError(null)
    try {
      const begun = await erase.mutateAsync({ body: { subject: { type, id }, confirm: slug.trim() || undefined } })
      await navigate({ to: `/erasures/${begun.id}` })
    } catch (cause) {
      setError(cause as ApiError)
    }
  }
  const at = (...names: string[]) => (error?.param && names.includes(error.param) ? error.message : undefined)
  return (
    <Dialog
      title={t.erase}
      description={t.cannotBeUndone}
      isOpen
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{ui.cancel}</Button>
          <Button look="danger" type="submit" form={form} disabled={!isConfirmed} isBusy={erase.isPending}>
            {t.start}
          </Button>
        </>
      }
    >
      <form id={form} className={styles.form} onSubmit={submit}>
        <FieldInput
          field={{ name: 'type', label: t.subjectType, kind: 'choice', isRequired: true, options: types.map((value) => ({ value, label: t.types[value] })) }}
          value={type}
          error={at('subject.type')}
          onChange={(value) => setType(subjectTypeOf(String(value)))}
        />
        <FieldInput field={{ name: 'id', label: t.subjectId, help: t.typeHelp[type], isRequired: true }} value={subject} error={at('subject.id', 'subject', 'user_id', 'session_id', 'end_user')} onChange={(value) => setSubject(String(value ?? ''))} />
        {type === 'tenant' && <FieldInput field={{ name: 'confirm', label: t.tenantSlug, help: t.tenantSlugHelp }} value={slug} error={at('confirm')} onChange={(value) => setSlug(String(value ?? ''))} />}
        {exported && (
          <section className={styles.export}>
            <h3>{t.exportFirst}</h3>
            <p className={styles.help}>{t.exportHelp}</p>
            <Button icon={<Download size={16} />} isBusy={isExporting} onClick={() => void save()}>
              {isExporting ? t.exporting : t.export}
            </Button>
          </section>
        )}
        <FieldInput
          field={{ name: 'again', label: t.confirmation, isRequired: true, placeholder: id }}
          value={again}
          error={again.trim() !== '' && !id.startsWith(again.trim()) ? t.confirmationWrong : undefined}
          onChange={(value) => setAgain(String(value ?? ''))}
        />
        {error && !at('subject.type', 'subject.id', 'subject', 'user_id', 'session_id', 'end_user', 'confirm') && <ErrorMessage error={error} />}
      </form>
    </Dialog>
  )
}
