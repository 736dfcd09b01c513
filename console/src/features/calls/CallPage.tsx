import { Link, useParams } from '@tanstack/react-router'
import { useRead } from '@/api/hooks'
import { useCan } from '@/api/session'
import type { Schema } from '@/api/types'
import { shortId, useFormat } from '@/i18n/format'
import { KeyName, ProjectName, UserName } from '@/list/Names'
import { Badge } from '@/ui/Badge'
import { Id, JsonBlock } from '@/ui/Code'
import { Loaded } from '@/ui/Feedback'
import { Card, Facts, Grid, Page } from '@/ui/Page'
import { useUiMessages } from '@/ui/messages'
import { DateTime } from '@/ui/Time'
import { useMessages } from './messages'
import { Price } from './Price'
import { StateBadge } from './StateBadge'
import { Waterfall } from './Waterfall'

const REFRESH_MS = 1_000

export default function CallPage() {
  const t = useMessages()
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  const can = useCan()
  const call = useRead('/api/v1/llm_calls/{id}', { params: { id } }, { refresh: (data) => data?.state === 'open' && REFRESH_MS })
  return (
    <Page title={call.data ? `${call.data.provider}/${call.data.model}` : t.title} parent={{ title: t.title, to: '/calls' }} actions={call.data && canReplay(call.data) && can('turns:write') && <Link to="/chat" search={{ call: id } as never}>{t.replay}</Link>}>
      <Loaded query={call} lines={10}>
        {(data) => <Details call={data} />}
      </Loaded>
    </Page>
  )
}

/** Whether the request is recorded and has messages. */
function canReplay({ request_data }: Schema<'LlmCallView'>): boolean {
  return Array.isArray((request_data as { messages?: unknown } | null | undefined)?.messages)
}

function Details({ call }: { call: Schema<'LlmCallView'> }) {
  const t = useMessages()
  const ui = useUiMessages()
  const f = useFormat()
  return (
    <>
      <Card>
        <Facts
          facts={[
            [t.state, <><StateBadge state={call.state} /> {t.stateHelp[call.state]}</>],
            [t.time, <DateTime at={call.created_at} />],
            [t.route, call.route],
            [t.endpoint, <code>{call.endpoint}</code>],
            [t.source, t.sources[call.source as keyof typeof t.sources] ?? call.source],
            [t.status, call.status_code],
            [t.latency, call.latency_ms !== null && f.duration(call.latency_ms)],
            [t.streamed, call.streamed ? ui.yes : ui.no],
            [t.promptTokens, f.number(call.prompt_tokens)],
            [t.completionTokens, f.number(call.completion_tokens)],
            [t.cachedTokens, call.cached_tokens ? f.number(call.cached_tokens) : null],
            [t.quantity, call.unit && call.quantity !== null ? `${f.number(call.quantity)} ${t.units[call.unit]}` : null],
            [t.cost, call.cost_usd === null && call.state === 'settled' ? t.unpriced : f.money(call.cost_usd)],
            [t.reserved, call.reserved_usd ? f.money(call.reserved_usd) : null],
            [t.cache, call.cache && <Badge tone={call.cache === 'hit' ? 'success' : 'neutral'}>{call.cache}</Badge>],
            [t.session, call.session_id && <Link to={`/chat/${call.session_id}`}>{shortId(call.session_id)}</Link>],
            [t.user, call.user_id && <UserName id={call.user_id} />],
            [t.project, call.project_id && <ProjectName id={call.project_id} />],
            [t.apiKey, call.api_key_id && <KeyName id={call.api_key_id} />],
            [t.endUser, call.end_user],
            [t.tags, call.tags.length > 0 && call.tags.map((tag) => <Badge key={tag}>{tag}</Badge>)],
            [t.trace, call.trace_id && <Link to="/records" search={{ trace_id: call.trace_id } as never}><code>{call.trace_id}</code></Link>],
            [t.requestId, <Id id={call.request_id} />],
            [t.error, call.error_message],
          ]}
        />
      </Card>
      {call.refusal && <Refusal refusal={call.refusal} count={call.refused_calls} />}
      {(call.attempts.length > 0 || call.latency_ms !== null) && (
        <Card title={t.timing}>
          <Waterfall call={call} />
        </Card>
      )}
      <Price call={call} />
      <Grid min="26rem">
        <Card title={t.request}>{call.request_data ? <JsonBlock value={call.request_data} label={t.request} /> : <Bodies call={call} />}</Card>
        <Card title={t.response}>{call.response_data ? <JsonBlock value={call.response_data} label={t.response} /> : <Bodies call={call} />}</Card>
      </Grid>
      {call.bodies_expire_at && (
        <p>
          {t.bodiesExpire} <DateTime at={call.bodies_expire_at} />
        </p>
      )}
      {Object.keys(call.metadata).length > 0 && (
        <Card title={t.metadata}>
          <Facts facts={Object.entries(call.metadata)} />
        </Card>
      )}
    </>
  )
}

function Bodies({ call }: { call: Schema<'LlmCallView'> }) {
  const t = useMessages()
  return call.bodies_deleted_at ? (
    <p>
      {t.bodiesDeleted} <DateTime at={call.bodies_deleted_at} />
    </p>
  ) : (
    <p>{t.noBody}</p>
  )
}

function Refusal({ refusal, count }: { refusal: Schema<'CallRefusal'>; count: number | null }) {
  const t = useMessages()
  const f = useFormat()
  const can = useCan()
  const amount = (value: number) => (refusal.unit === 'usd' ? f.money(value) : `${f.number(value)}${refusal.unit ? ` ${t.limitUnits[refusal.unit]}` : ''}`)
  return (
    <Card title={t.refusal} actions={refusal.limit_id && can('limits:read') && <Link to="/limits">{t.toLimits}</Link>}>
      <Facts
        facts={[
          [t.refusalCode, <code>{refusal.code}</code>],
          [t.refusalLimit, refusal.limit !== null && amount(refusal.limit)],
          [t.refusalNeeded, refusal.needed !== null && amount(refusal.needed)],
          [t.refusalLeft, refusal.left !== null && amount(refusal.left)],
          [t.refusalFreeAt, refusal.free_at && <DateTime at={refusal.free_at} />],
          [t.refusedCalls, count],
        ]}
      />
    </Card>
  )
}
