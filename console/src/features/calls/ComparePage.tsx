import { Link } from '@tanstack/react-router'
import { useRead } from '@/api/hooks'
import type { Schema } from '@/api/types'
import { NONE, useFormat } from '@/i18n/format'
import { DataTable } from '@/list/DataTable'
import { useSearchState } from '@/list/search'
import { JsonBlock } from '@/ui/Code'
import { Empty, Loaded } from '@/ui/Feedback'
import { Card, Grid, Page } from '@/ui/Page'
import { useMessages } from './messages'
import { StateBadge } from './StateBadge'

type Call = Schema<'LlmCallView'>

/** Two calls beside each other, with the differences of their figures. */
export default function ComparePage() {
  const t = useMessages()
  const [search] = useSearchState()
  const [first = '', second = ''] = search.ids?.split(',') ?? []
  const isChosen = first !== '' && second !== ''
  const left = useRead('/api/v1/llm_calls/{id}', { params: { id: first } }, { enabled: isChosen })
  const right = useRead('/api/v1/llm_calls/{id}', { params: { id: second } }, { enabled: isChosen })
  return (
    <Page title={t.compareTitle} parent={{ title: t.title, to: '/calls' }}>
      {isChosen ? <Loaded query={left}>{(a) => <Loaded query={right}>{(b) => <Both a={a} b={b} />}</Loaded>}</Loaded> : <Empty title={t.compareHint} />}
    </Page>
  )
}

function Both({ a, b }: { a: Call; b: Call }) {
  const t = useMessages()
  const f = useFormat()
  const figure = (name: string, of: (call: Call) => number | null, show: (value: number | null) => string) => {
    const [x, y] = [of(a), of(b)]
    const change = x !== null && y !== null && x !== 0 ? `${y >= x ? '+' : ''}${f.percent((y - x) / x)}` : NONE
    return { name, a: show(x), b: show(y), change }
  }
  const rows = [
    { name: t.model, a: <Link to={`/calls/${a.id}`}>{`${a.provider}/${a.model}`}</Link>, b: <Link to={`/calls/${b.id}`}>{`${b.provider}/${b.model}`}</Link>, change: '' },
    { name: t.state, a: <StateBadge state={a.state} />, b: <StateBadge state={b.state} />, change: '' },
    { name: t.time, a: f.dateTime(a.created_at), b: f.dateTime(b.created_at), change: '' },
    figure(t.promptTokens, (call) => call.prompt_tokens, f.number),
    figure(t.completionTokens, (call) => call.completion_tokens, f.number),
    figure(t.cost, (call) => call.cost_usd, f.money),
    figure(t.firstToken, (call) => call.first_token_ms, f.duration),
    figure(t.latency, (call) => call.latency_ms, f.duration),
  ]
  return (
    <>
      <DataTable
        label={t.compareTitle}
        rowKey={(row) => row.name}
        rows={rows}
        columns={[
          { id: 'name', header: t.summary, cell: (row) => row.name },
          { id: 'a', header: 'A', cell: (row) => row.a },
          { id: 'b', header: 'B', cell: (row) => row.b },
          { id: 'change', header: t.difference, isNumeric: true, cell: (row) => row.change },
        ]}
      />
      <Grid min="26rem">
        {[a, b].map((call, index) => (
          <Card key={call.id} title={`${index === 0 ? 'A' : 'B'} · ${t.request}`}>
            {call.request_data ? <JsonBlock value={call.request_data} /> : <p>{t.noBody}</p>}
            <h3>{t.response}</h3>
            {call.response_data ? <JsonBlock value={call.response_data} /> : <p>{t.noBody}</p>}
          </Card>
        ))}
      </Grid>
    </>
  )
}
