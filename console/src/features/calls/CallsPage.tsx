import { Link } from '@tanstack/react-router'
import { useSession } from '@/api/session'
import type { Schema } from '@/api/types'
import { shortId, useFormat } from '@/i18n/format'
import type { Column } from '@/list/DataTable'
import type { Filter } from '@/list/FilterBar'
import { ResourceList } from '@/list/ResourceList'
import { Button } from '@/ui/Button'
import { Empty } from '@/ui/Feedback'
import { Page } from '@/ui/Page'
import { Time } from '@/ui/Time'
import { useSearchState } from '@/list/search'
import { useNavigate } from '@tanstack/react-router'
import { useMessages } from './messages'
import { StateBadge } from './StateBadge'

type Call = Schema<'LlmCallView'>

const REFRESH_MS = 5_000

export default function CallsPage() {
  const t = useMessages()
  const f = useFormat()
  const navigate = useNavigate()
  const { projectId } = useSession()
  const [search] = useSearchState()
  const columns: Column<Call>[] = [
    { id: 'time', header: t.time, cell: (call) => <Time at={call.created_at} />, value: (call) => call.created_at },
    { id: 'model', header: t.model, cell: (call) => (call.provider ? `${call.provider}/${call.model}` : call.model), value: (call) => `${call.provider}/${call.model}` },
    { id: 'state', header: t.state, cell: (call) => <StateBadge state={call.state} />, value: (call) => call.state },
    { id: 'tokens', header: t.tokens, isNumeric: true, cell: (call) => f.number(call.total_tokens), value: (call) => call.total_tokens },
    { id: 'cost', header: t.cost, isNumeric: true, cell: (call) => f.money(call.cost_usd), value: (call) => call.cost_usd },
    { id: 'firstToken', header: t.firstToken, isNumeric: true, cell: (call) => f.duration(call.first_token_ms), value: (call) => call.first_token_ms },
    { id: 'latency', header: t.latency, isNumeric: true, cell: (call) => f.duration(call.latency_ms), value: (call) => call.latency_ms },
    { id: 'error', header: t.error, cell: (call) => call.refusal?.code ?? call.error_message ?? '', value: (call) => call.refusal?.code ?? call.error_message },
    { id: 'endUser', header: t.endUser, isOptional: true, cell: (call) => call.end_user ?? '', value: (call) => call.end_user },
    { id: 'tags', header: t.tags, isOptional: true, cell: (call) => call.tags.join(', '), value: (call) => call.tags.join(' ') },
    { id: 'route', header: t.route, isOptional: true, cell: (call) => call.route ?? '', value: (call) => call.route },
    { id: 'source', header: t.source, isOptional: true, cell: (call) => t.sources[call.source as keyof typeof t.sources] ?? call.source, value: (call) => call.source },
    { id: 'endpoint', header: t.endpoint, isOptional: true, cell: (call) => <code>{call.endpoint}</code>, value: (call) => call.endpoint },
    { id: 'session', header: t.session, isOptional: true, cell: (call) => call.session_id && <Link to={`/chat/${call.session_id}`}>{shortId(call.session_id)}</Link>, value: (call) => call.session_id },
    { id: 'requestId', header: t.requestId, isOptional: true, cell: (call) => <code>{call.request_id}</code>, value: (call) => call.request_id },
  ]
  const filters: Filter[] = [
    { name: 'state', label: t.state, options: Object.entries(t.states).map(([value, label]) => ({ value, label })) },
    { name: 'model', label: t.model },
    { name: 'provider', label: t.provider },
    { name: 'end_user', label: t.endUser },
    { name: 'tag', label: t.tag },
    { name: 'trace_id', label: t.trace },
  ]
  const hidden: Record<string, string | undefined> = { session_id: search.session_id, user_id: search.user_id, api_key_id: search.api_key_id, route: search.route }
  return (
    <Page title={t.title} description={t.description}>
      <ResourceList
        path="/api/v1/llm_calls"
        label={t.title}
        columns={columns}
        filters={filters}
        query={{ project_id: projectId ?? undefined, ...hidden }}
        timeParameters={['created_after', 'created_before']}
        rowKey={(call) => call.id}
        rowLink={(call) => `/calls/${call.id}`}
        refresh={REFRESH_MS}
        selectionName={(call) => `${call.model} ${f.dateTime(call.created_at)}`}
        selectionActions={() => {
          const ids = search.selected?.split(',') ?? []
          return (
            <Button disabled={ids.length !== 2} onClick={() => void navigate({ to: '/calls/compare', search: { ids: ids.join(',') } } as never)}>
              {t.compare}
            </Button>
          )
        }}
        empty={
          <Empty title={t.empty} command={`curl ${location.origin}/v1/chat/completions -H "Authorization: Bearer \$LOAM_KEY" -H "Content-Type: application/json" \\\n  -d '{"model": "chat", "messages": [{"role": "user", "content": "Hello"}]}'`}>
            {t.emptyHint}
          </Empty>
        }
      />
    </Page>
  )
}
