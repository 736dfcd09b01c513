import { Link, useParams } from '@tanstack/react-router'
import { useRead } from '@/api/hooks'
import type { Schema } from '@/api/types'
import { UserName } from '@/list/Names'
import { shortId, useFormat } from '@/i18n/format'
import { JsonBlock } from '@/ui/Code'
import { Loaded } from '@/ui/Feedback'
import { Card, Facts, Grid, Page } from '@/ui/Page'
import { DateTime } from '@/ui/Time'
import { useMessages } from './messages'
import { StatusBadge } from './StatusBadge'

const REFRESH_MS = 2_000

export default function ToolCallPage() {
  const t = useMessages()
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  const call = useRead('/api/v1/tool_calls/{id}', { params: { id } }, { refresh: (data) => (data?.status === 'waiting' || data?.status === 'running') && REFRESH_MS })
  return (
    <Page title={call.data?.tool_name ?? t.title} parent={{ title: t.title, to: '/tool-calls' }}>
      <Loaded query={call}>{(data) => <Details call={data} />}</Loaded>
    </Page>
  )
}

function Details({ call }: { call: Schema<'ToolCallView'> }) {
  const t = useMessages()
  const f = useFormat()
  return (
    <>
      <Card>
        <Facts
          facts={[
            [t.status, <StatusBadge status={call.status} />],
            [t.time, <DateTime at={call.created_at} />],
            [t.duration, f.duration(call.duration_ms)],
            [t.session, call.session_id && <Link to={`/chat/${call.session_id}`}>{shortId(call.session_id)}</Link>],
            [t.call, call.llm_call_id && <Link to={`/calls/${call.llm_call_id}`}>{shortId(call.llm_call_id)}</Link>],
            [t.user, call.user_id && <UserName id={call.user_id} />],
            [t.callId, <code>{call.call_id}</code>],
            [t.trace, call.trace_id && <Link to="/records" search={{ trace_id: call.trace_id } as never}><code>{call.trace_id}</code></Link>],
            [t.error, call.error_message],
          ]}
        />
      </Card>
      <Grid min="26rem">
        <Card title={t.arguments}>{call.tool_args === undefined || call.tool_args === null ? <p>{t.notRecorded}</p> : <JsonBlock value={call.tool_args} label={t.arguments} />}</Card>
        <Card title={t.result}>{call.result ? <JsonBlock value={indented(call.result)} label={t.result} /> : <p>{call.status === 'waiting' || call.status === 'running' ? t.noResult : t.notRecorded}</p>}</Card>
      </Grid>
    </>
  )
}

/** JSON in lines, anything else as it is. */
function indented(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}
