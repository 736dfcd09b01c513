import { useState } from 'react'
import { useRead } from '@/api/hooks'
import { headersOf, send, urlOf } from '@/api/request'
import type { Schema } from '@/api/types'
import { useFormat } from '@/i18n/format'
import { DataTable } from '@/list/DataTable'
import { save } from '@/list/export'
import { useSearchState } from '@/list/search'
import { thisMinute, useTimeRange } from '@/list/time'
import { TimeRangePicker } from '@/list/TimeRangePicker'
import { Button } from '@/ui/Button'
import { Loaded } from '@/ui/Feedback'
import { Card, Facts, Page } from '@/ui/Page'
import { notify } from '@/ui/Toasts'
import { Breakdown } from './Breakdown'
import { granularityOf } from './buckets'
import { useMessages } from './messages'
import { useQuantities } from './quantities'
import styles from './usage.module.css'

const DEFAULT_RANGE = '30d'
const MANY = 50

export default function UsagePage() {
  const t = useMessages()
  const range = useTimeRange(DEFAULT_RANGE)
  const from = range.from ?? new Date(0)
  return (
    <Page title={t.usage} description={t.usageDescription} actions={<TimeRangePicker fallback={DEFAULT_RANGE} />}>
      <Breakdown from={range.from?.toISOString()} to={range.to?.toISOString()} granularity={granularityOf(from, range.to ?? thisMinute())} most={MANY} />
      <MonthlyStatement />
    </Page>
  )
}

function MonthlyStatement() {
  const t = useMessages()
  const f = useFormat()
  const quantities = useQuantities()
  const [search, setSearch] = useSearchState()
  const [isBusy, setBusy] = useState(false)
  const month = search.month ?? new Date().toISOString().slice(0, 7)
  const statement = useRead('/api/v1/statements', { query: { month } })
  async function download() {
    setBusy(true)
    try {
      const response = await send(urlOf('/api/v1/statements', {}, { month, format: 'csv' }), { headers: headersOf('get') })
      save(await response.text(), `statement-${month}.csv`, 'text/csv')
    } catch (error) {
      notify((error as Error).message)
    } finally {
      setBusy(false)
    }
  }
  const name = (row: Schema<'Usage'>) => [row.project_name, row.api_key_name, row.provider && `${row.provider}/${row.model}`].filter(Boolean).join(' · ')
  return (
    <Card
      title={t.statement}
      actions={
        <div className={styles.below}>
          <input type="month" className={styles.month} aria-label={t.month} value={month} onChange={(event) => setSearch({ month: event.target.value || undefined })} />
          <Button onClick={download} isBusy={isBusy}>
            {t.downloadCsv}
          </Button>
        </div>
      }
    >
      <p>{t.statementHint}</p>
      <Loaded query={statement}>
        {({ closed, total, lines }) => (
          <>
            {!closed && <p>{t.open}</p>}
            <Facts
              facts={[
                [t.calls, f.number(total.calls)],
                [t.tokens, f.number(total.total_tokens)],
                [t.quantities, quantities(total)],
                [t.cost, f.money(total.cost_usd)],
                [t.unsettled, total.unsettled_usd > 0 && f.money(total.unsettled_usd)],
              ]}
            />
            {lines.length > 0 && (
              <DataTable
                label={t.statement}
                rows={lines}
                rowKey={(row) => JSON.stringify([row.project_id, row.api_key_id, row.provider, row.model])}
                columns={[
                  { id: 'name', header: `${t.dimensions.project} · ${t.dimensions.api_key} · ${t.dimensions.model}`, cell: name },
                  { id: 'calls', header: t.calls, isNumeric: true, cell: (row) => f.number(row.calls) },
                  { id: 'prompt', header: t.promptTokens, isNumeric: true, cell: (row) => f.number(row.prompt_tokens) },
                  { id: 'completion', header: t.completionTokens, isNumeric: true, cell: (row) => f.number(row.completion_tokens) },
                  { id: 'cost', header: t.cost, isNumeric: true, cell: (row) => f.money(row.cost_usd) },
                ]}
              />
            )}
          </>
        )}
      </Loaded>
    </Card>
  )
}
