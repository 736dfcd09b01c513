import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { Check, Play, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { useChange } from '@/api/hooks'
import type { ApiError } from '@/api/request'
import { useCan } from '@/api/session'
import type { Schema } from '@/api/types'
import { useVersioned, type Versioned } from '@/api/versioned'
import { ConflictNotice } from '@/form/FormError'
import { JsonEditor } from '@/form/JsonEditor'
import { syntaxError } from '@/form/jsonPlace'
import type { Conflict } from '@/form/useForm'
import { ProjectName } from '@/list/Names'
import { Button } from '@/ui/Button'
import { JsonBlock } from '@/ui/Code'
import { ConfirmDialog } from '@/ui/Dialog'
import { ErrorMessage, Loaded } from '@/ui/Feedback'
import { Card, Facts, Page } from '@/ui/Page'
import { DateTime } from '@/ui/Time'
import { notify } from '@/ui/Toasts'
import { useMessages } from './messages'
import { StateBadge } from './StateBadge'

type Rejected = Schema<'RejectedRecordView'>
const PATH = '/api/v1/rejected_records'

export default function RejectedRecordPage() {
  const t = useMessages()
  const can = useCan()
  const navigate = useNavigate()
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  const record = useVersioned(`${PATH}/{id}`, { params: { id } })
  const remove = useChange('delete', `${PATH}/{id}`, [])
  const [isDeleting, setDeleting] = useState(false)
  return (
    <Page
      title={t.record}
      parent={{ title: t.title, to: '/rejected-records' }}
      actions={
        can('rejected_records:write') && (
          <Button look="danger" icon={<Trash2 size={16} />} onClick={() => setDeleting(true)}>
            {t.delete}
          </Button>
        )
      }
    >
      <Loaded query={record} lines={10}>
        {(data) => (
          <>
            <Summary record={data.value} />
            <Content record={data} />
          </>
        )}
      </Loaded>
      <ConfirmDialog
        title={t.deleteTitle}
        description={t.deleteHelp}
        action={t.delete}
        isOpen={isDeleting}
        onClose={() => setDeleting(false)}
        onConfirm={async () => {
          await remove.mutateAsync({ params: { id } })
          notify(t.isDeleted)
          await navigate({ to: '/rejected-records' })
        }}
      />
    </Page>
  )
}

function Summary({ record }: { record: Rejected }) {
  const t = useMessages()
  const trace = record.payload?.trace_id
  return (
    <Card>
      <Facts
        facts={[
          [t.state, <StateBadge state={record.state} />],
          [t.code, record.state === 'rejected' && <>{t.codes[record.code] ?? record.code} <code>{record.code}</code></>],
          [t.param, record.state === 'rejected' && record.param && <code>{record.param}</code>],
          [t.message, record.state === 'rejected' && record.message],
          [t.time, <DateTime at={record.created_at} />],
          [t.project, <ProjectName id={record.project_id} />],
          [t.source, t.sources[record.source] ?? record.source],
        ]}
      />
      {record.state === 'replayed' && typeof trace === 'string' && (
        <p>
          <Link to="/records" search={{ trace_id: trace } as never}>
            {t.openRecords}
          </Link>
        </p>
      )}
    </Card>
  )
}

/** The content, which can be corrected until it was replayed. */
function Content({ record: newest }: { record: Versioned<Rejected> }) {
  const t = useMessages()
  const can = useCan()
  const { value: record, version } = newest
  const stored = JSON.stringify(record.payload, null, 2)
  const [text, setText] = useState(stored)
  // What the text was made from; none: the newest, which is one's own correction.
  const [base, setBase] = useState<Versioned<Rejected> | undefined>({ value: record, version })
  const [refusal, setRefusal] = useState<ApiError | null>(null)
  const patch = useChange('patch', `${PATH}/{id}`, [PATH])
  const replay = useChange('post', `${PATH}/{id}/replay`, [PATH])
  const params = { id: record.id }

  if (!record.payload) return <Card title={t.content}>{t.noContent}</Card>
  if (record.state === 'replayed' || !can('rejected_records:write')) {
    return (
      <Card title={t.content}>
        <JsonBlock value={record.payload} label={t.content} />
      </Card>
    )
  }
  const isChanged = text !== stored
  async function check(replayed: boolean, from = base) {
    setRefusal(null)
    try {
      let state = record.state
      if (isChanged || !replayed) {
        const corrected = await patch.mutateAsync({ params, body: { payload: JSON.parse(text) as Record<string, unknown> }, ifMatch: (from ?? newest).version })
        state = corrected.state
        // The next correction is made from this one.
        setBase(undefined)
        if (state === 'mended' && !replayed) notify(t.isMended)
      }
      if (replayed && (state === 'mended' || !isChanged)) {
        await replay.mutateAsync({ params })
        notify(t.isReplayed)
      }
    } catch (cause) {
      setRefusal(cause as ApiError)
    }
  }
  const conflict: Conflict | null =
    refusal?.status === 412
      ? {
          id: record.id,
          fields: [{ name: 'payload', label: t.content }],
          before: base?.value ?? record,
          after: record,
          keepMine: () => {
            setBase(undefined)
            return check(false, newest)
          },
          startAgain: () => {
            setBase(newest)
            setText(stored)
            setRefusal(null)
          },
        }
      : null
  // The paths of refused replays begin at the batch: `records[0].timestamp`.
  const refused = refusal?.param && !conflict ? { path: refusal.param.replace(/^(records\[\d+\]|payload)\.?/, ''), message: refusal.message } : undefined
  const known = record.state === 'rejected' ? { path: record.param, message: record.message } : undefined
  const isBusy = patch.isPending || replay.isPending
  return (
    <Card title={t.content}>
      <p>{t.contentHelp}</p>
      <JsonEditor label={t.content} text={text} onChange={setText} error={refused ?? known} rows={26} />
      {conflict ? <ConflictNotice conflict={conflict} isBusy={isBusy} /> : refusal && !refusal.param && <ErrorMessage error={refusal} />}
      <div>
        <Button icon={<Check size={16} />} disabled={syntaxError(text) !== null} isBusy={isBusy} onClick={() => void check(false)}>
          {t.check}
        </Button>{' '}
        <Button look="primary" icon={<Play size={16} />} disabled={syntaxError(text) !== null} isBusy={isBusy} onClick={() => void check(true)}>
          {isChanged ? t.checkAndReplay : t.replay}
        </Button>
      </div>
    </Card>
  )
}
