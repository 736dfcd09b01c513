import { Link } from '@tanstack/react-router'
import { useRead } from '@/api/hooks'
import type { Schema } from '@/api/types'
import { useFormat } from '@/i18n/format'
import { Loaded } from '@/ui/Feedback'
import { Card } from '@/ui/Page'
import { Meter } from '@/ui/Meter'
import { useMessages } from './messages'

const REFRESH_MS = 10_000

interface Budget {
  key: string
  name: string
  used: number
  budget: number
}

/** Budgets with what is used of them. */
export function Budgets() {
  const t = useMessages()
  const f = useFormat()
  const limits = useRead('/api/v1/limits', { query: { limit: 200 } }, { refresh: REFRESH_MS })
  function budgetsOf(limit: Schema<'LimitView'>): Budget[] {
    const name = `${t.subjects[limit.subject_type]} ${limit.subject_name ?? ''}`
    const budgets: Budget[] = []
    const add = (budget: number | null, left: number | null | undefined, period: string) => {
      if (budget !== null && left != null) budgets.push({ key: `${limit.id} ${period}`, name: `${name} · ${period}`, used: Math.max(0, budget - left), budget })
    }
    add(limit.budget_per_day, limit.remaining?.budget_per_day, t.perDay)
    add(limit.budget_per_month, limit.remaining?.budget_per_month, t.perMonth)
    return budgets
  }
  return (
    <Card title={t.budgets}>
      <Loaded query={limits}>
        {({ data }) => {
          const budgets = data.flatMap(budgetsOf).sort((a, b) => b.used / b.budget - a.used / a.budget)
          if (budgets.length === 0) {
            return (
              <p>
                {t.noBudgets} <Link to="/limits">{t.addBudget}</Link>
              </p>
            )
          }
          return budgets.map((budget) => {
            const share = budget.budget > 0 ? budget.used / budget.budget : 1
            return (
              <div key={budget.key}>
                {budget.name}
                <Meter label={budget.name} share={share} text={t.budgetUsed(f.money(budget.used), f.money(budget.budget))} />
              </div>
            )
          })
        }}
      </Loaded>
    </Card>
  )
}
