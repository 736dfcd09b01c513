import { Link } from '@tanstack/react-router'
import { useRead } from '@/api/hooks'
import { useCan } from '@/api/session'
import type { Schema } from '@/api/types'
import { useFormat } from '@/i18n/format'
import { DataTable } from '@/list/DataTable'
import { Card } from '@/ui/Page'
import { costParts } from './cost'
import { useMessages } from './messages'

/** Amounts that differ by less are equal but for rounding. */
const ROUNDING = 1e-9

/** The formula of a call's cost, from the price that the model has now. */
export function Price({ call }: { call: Schema<'LlmCallView'> }) {
  const t = useMessages()
  const f = useFormat()
  const can = useCan()
  const isPriced = call.provider !== '' && call.state !== 'refused'
  const prices = useRead('/api/v1/model_prices', { query: { provider: call.provider } }, { enabled: isPriced && can('model_prices:read') })
  if (!isPriced || !prices.data) return null
  const price = prices.data.data.find((each) => each.model === call.model) ?? prices.data.data.find((each) => each.model === '*')
  if (!price) {
    return (
      <Card title={t.price}>
        <p>
          {t.priceUnknown} {can('model_prices:write') && <Link to="/prices" search={{ dialog: 'new', provider: call.provider, model: call.model } as never}>{t.setPrice}</Link>}
        </p>
      </Card>
    )
  }
  const parts = costParts(call, price)
  const sum = parts.reduce((total, part) => total + part.cost, 0)
  const isFromCache = call.cache === 'hit'
  return (
    <Card title={t.price}>
      {isFromCache ? (
        <p>{t.freeFromCache}</p>
      ) : (
        <>
          <DataTable
            label={t.price}
            rowKey={(part) => part.name}
            rows={parts}
            columns={[
              { id: 'name', header: t.counted, cell: (part) => (part.name === 'unit' && call.unit ? t.units[call.unit] : t.parts[part.name]) },
              { id: 'amount', header: t.quantity, isNumeric: true, cell: (part) => f.number(part.amount) },
              { id: 'price', header: t.unitPrice, isNumeric: true, cell: (part) => (part.per === 1 ? f.money(part.price) : t.perMillion(f.money(part.price))) },
              { id: 'cost', header: t.cost, isNumeric: true, cell: (part) => f.money(part.cost) },
            ]}
          />
          {call.cost_usd === null && call.state === 'settled' && <p>{t.pricedLater(f.money(sum))}</p>}
          {call.cost_usd !== null && Math.abs(sum - call.cost_usd) > ROUNDING && <p>{t.priceChanged(f.money(sum), f.money(call.cost_usd))}</p>}
        </>
      )}
    </Card>
  )
}
