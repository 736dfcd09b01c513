import { Link } from '@tanstack/react-router'
import { useRead } from '@/api/hooks'
import { useSession } from '@/api/session'
import type { Schema } from '@/api/types'
import { useFormat } from '@/i18n/format'
import { type Column, DataTable } from '@/list/DataTable'
import { csvOf, save } from '@/list/export'
import { useSearchState } from '@/list/search'
import { Button } from '@/ui/Button'
import { Empty, ErrorMessage, Loaded } from '@/ui/Feedback'
import { Card } from '@/ui/Page'
import { Tabs } from '@/ui/Tabs'
import { useUiMessages } from '@/ui/messages'
import type { Granularity } from './buckets'
import { useMessages } from './messages'
import { useQuantities } from './quantities'
import styles from './usage.module.css'

type Usage = Schema<'Usage'>
type Dimension = keyof ReturnType<typeof useMessages>['dimensions']

interface BreakdownProps {
  from: string | undefined
  to: string | undefined
  granularity: Granularity
  /** How many groups are shown at first. */
  most?: number
}

/** The sums of a range by one dimension, the largest first. */
export function Breakdown({ from, to, granularity, most = 10 }: BreakdownProps) {
  const t = useMessages()
  const [search, setSearch] = useSearchState()
  const dimension: Dimension = search.by && search.by in t.dimensions ? (search.by as Dimension) : 'model'
  const tabs = (Object.keys(t.dimensions) as Dimension[]).map((id) => ({ id, label: t.dimensions[id], content: id === dimension && <Groups dimension={id} from={from} to={to} granularity={granularity} most={most} /> }))
  return (
    <Card>
      <Tabs label={t.by} tabs={tabs} selected={dimension} onSelect={(by) => setSearch({ by, all: undefined })} />
    </Card>
  )
}

function Groups({ dimension, from, to, granularity, most }: BreakdownProps & { dimension: Dimension; most: number }) {
  const t = useMessages()
  const ui = useUiMessages()
  const f = useFormat()
  const quantities = useQuantities()
  const { projectId } = useSession()
  const [search, setSearch] = useSearchState()
  const read = useRead('/api/v1/usage', { query: { from, to, granularity, group_by: dimension, project_id: projectId ?? undefined } })
  if (read.error?.code === 'too_many_groups') return <ErrorMessage error={new Error(t.tooManyGroups)} />
  return (
    <Loaded query={read}>
      {({ data }) => {
        if (data.length === 0) return <Empty title={ui.noData} />
        const sorted = [...data].sort((a, b) => b.cost_usd - a.cost_usd || b.calls - a.calls)
        const total = sorted.reduce((sum, row) => sum + (row.cost_usd || 0), 0)
        const byCalls = sorted.reduce((sum, row) => sum + row.calls, 0)
        const shown = search.all ? sorted : sorted.slice(0, most)
        const columns: Column<Usage>[] = [
          { id: 'name', header: t.dimensions[dimension], cell: (row) => <Name dimension={dimension} row={row} from={from} to={to} />, value: (row) => nameOf(dimension, row) ?? '' },
          { id: 'calls', header: t.calls, isNumeric: true, cell: (row) => f.number(row.calls), value: (row) => row.calls },
          { id: 'errors', header: t.errors, isNumeric: true, cell: (row) => f.number(row.errors), value: (row) => row.errors },
          { id: 'refused', header: t.refused, isNumeric: true, cell: (row) => f.number(row.refused), value: (row) => row.refused },
          { id: 'tokens', header: t.tokens, isNumeric: true, cell: (row) => f.compact(row.total_tokens), value: (row) => row.total_tokens },
          { id: 'cached', header: t.cachedTokens, isNumeric: true, cell: (row) => f.compact(row.cached_tokens), value: (row) => row.cached_tokens },
          { id: 'p95', header: t.p95, isNumeric: true, cell: (row) => f.duration(row.latency_p95_ms), value: (row) => row.latency_p95_ms },
          { id: 'cost', header: t.cost, isNumeric: true, cell: (row) => f.money(row.cost_usd), value: (row) => row.cost_usd },
          { id: 'share', header: t.share, isNumeric: true, cell: (row) => f.percent(total > 0 ? row.cost_usd / total : row.calls / byCalls) },
        ]
        if (sorted.some((row) => row.quantities.length > 0)) {
          columns.splice(-2, 0, { id: 'quantities', header: t.quantities, isNumeric: true, cell: quantities, value: quantities })
        }
        return (
          <div className={styles.groups}>
            <DataTable label={t.dimensions[dimension]} columns={columns} rows={shown} rowKey={(row) => JSON.stringify([nameOf(dimension, row), row.api_key_id, row.user_id, row.project_id])} />
            <div className={styles.below}>
              {sorted.length > most && (
                <Button look="plain" onClick={() => setSearch({ all: search.all ? undefined : '1' })}>
                  {search.all ? ui.showLess : `${ui.showMore} (${f.number(sorted.length - most)})`}
                </Button>
              )}
              <Button look="plain" onClick={() => save(csvOf(columns, sorted), `usage-${dimension}.csv`, 'text/csv')}>
                {t.downloadCsv}
              </Button>
            </div>
          </div>
        )
      }}
    </Loaded>
  )
}

function nameOf(dimension: Dimension, row: Usage): string | null | undefined {
  switch (dimension) {
    case 'project':
      return row.project_name ?? row.project_id
    case 'user':
      return row.user_name ?? row.user_id
    case 'api_key':
      return row.api_key_name ?? row.api_key_id
    default:
      return row[dimension]
  }
}

/** The name of a group, which leads to its calls in the same time. */
function Name({ dimension, row, from, to }: { dimension: Dimension; row: Usage; from: string | undefined; to: string | undefined }) {
  const t = useMessages()
  const name = nameOf(dimension, row)
  const filter: Partial<Record<Dimension, Record<string, string | null | undefined>>> = {
    model: { model: row.model },
    provider: { provider: row.provider },
    user: { user_id: row.user_id },
    api_key: { api_key_id: row.api_key_id },
    end_user: { end_user: row.end_user },
    tag: { tag: row.tag },
  }
  if (!name) return <span className={styles.none}>{t.none}</span>
  if (dimension === 'source') return t.sources[name as keyof typeof t.sources] ?? name
  return filter[dimension] ? (
    <Link to="/calls" search={{ ...filter[dimension], from, to } as never}>
      {name}
    </Link>
  ) : (
    name
  )
}
