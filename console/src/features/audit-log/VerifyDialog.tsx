import { ShieldCheck, ShieldX } from 'lucide-react'
import { type FormEvent, useId, useState } from 'react'
import { type ApiError, request } from '@/api/request'
import type { Schema } from '@/api/types'
import { FieldInput } from '@/form/FieldInput'
import { useFormat } from '@/i18n/format'
import { DataTable } from '@/list/DataTable'
import { Badge } from '@/ui/Badge'
import { Button } from '@/ui/Button'
import { CodeBlock } from '@/ui/Code'
import { Dialog } from '@/ui/Dialog'
import { ErrorMessage } from '@/ui/Feedback'
import { Facts } from '@/ui/Page'
import { useUiMessages } from '@/ui/messages'
import styles from './audit.module.css'
import { useMessages } from './messages'
import { verifyChain } from './verify'

type Verification = Schema<'Verification'>

/** Verifies the tenant's chain, and says whether it is sound. */
export function VerifyDialog({ onClose }: { onClose: () => void }) {
  const t = useMessages()
  const ui = useUiMessages()
  const f = useFormat()
  const id = useId()
  const [head, setHead] = useState('')
  const [progress, setProgress] = useState<number | null>(null)
  const [verdict, setVerdict] = useState<Verification | null>(null)
  const [error, setError] = useState<ApiError | null>(null)
  async function verify(event: FormEvent) {
    event.preventDefault()
    setError(null)
    setVerdict(null)
    setProgress(0)
    try {
      setVerdict(await verifyChain((query) => request('get', '/api/v1/audit_logs/verify', { query }), head.trim() || undefined, setProgress))
    } catch (cause) {
      setError(cause as ApiError)
    } finally {
      setProgress(null)
    }
  }
  const isHere = error?.param === 'expect_head'
  return (
    <Dialog
      title={t.verifyTitle}
      description={t.verifyHelp}
      isOpen
      onClose={onClose}
      size="wide"
      actions={
        <>
          <Button onClick={onClose}>{ui.close}</Button>
          <Button look="primary" type="submit" form={id} isBusy={progress !== null}>
            {t.start}
          </Button>
        </>
      }
    >
      <form id={id} className={styles.verify} onSubmit={verify}>
        <FieldInput field={{ name: 'expect_head', label: t.expectHead, help: t.expectHeadHelp }} value={head} error={isHere ? error.message : undefined} onChange={(value) => setHead(String(value ?? ''))} />
        {error && !isHere && <ErrorMessage error={error} />}
        <div role="status">
          {progress !== null && t.verified(f.number(progress))}
          {verdict && (
            <p className={styles.verdict}>
              {verdict.ok ? <ShieldCheck size={20} aria-hidden /> : <ShieldX size={20} aria-hidden />} <Badge tone={verdict.ok ? 'success' : 'danger'}>{verdict.ok ? t.isSound : t.isBroken}</Badge>
            </p>
          )}
        </div>
        {verdict && <Verdict verdict={verdict} />}
      </form>
    </Dialog>
  )
}

function Verdict({ verdict }: { verdict: Verification }) {
  const t = useMessages()
  const f = useFormat()
  return (
    <>
      <Facts
        facts={[
          [t.rows, f.number(verdict.rows)],
          [t.erasedRows, verdict.erased > 0 && f.number(verdict.erased)],
          [t.attested, verdict.attested > 0 && f.number(verdict.attested)],
        ]}
      />
      <div>
        <h3>{t.head}</h3>
        <p className={styles.help}>{t.headHelp}</p>
        <CodeBlock code={verdict.head} label={t.head} />
      </div>
      {verdict.faults.length > 0 && (
        <DataTable
          label={t.faults}
          rows={verdict.faults}
          rowKey={(fault) => `${fault.sequence} ${fault.what}`}
          columns={[
            { id: 'sequence', header: t.sequence, isNumeric: true, cell: (fault) => fault.sequence },
            { id: 'what', header: t.fault, cell: (fault) => fault.what },
          ]}
        />
      )}
      {verdict.more_faults > 0 && <p>{t.moreFaults(f.number(verdict.more_faults))}</p>}
    </>
  )
}
