import type { Schema } from '@/api/types'

type Target = Schema<'Target'>

/** A target as the form shows it: in a list, where it shares the calls of the one above or comes after it. */
export interface TargetRow {
  /** Tells rows apart while they are moved. */
  key: number
  provider: string
  model: string
  /** Alias of another route, in place of provider and model. */
  route: string
  weight: number
  /** Whether it shares calls with the row above. The first row never does. */
  isShared: boolean
}

let nextKey = 1

export function newRow(provider = ''): TargetRow {
  return { key: nextKey++, provider, model: '', route: '', weight: 1, isShared: false }
}

/** The rows of a route's targets, by their order. */
export function rowsOf(targets: Target[]): TargetRow[] {
  const sorted = targets.toSorted((a, b) => a.order - b.order)
  return sorted.map((target, index) => ({
    key: nextKey++,
    provider: target.provider ?? '',
    model: target.model ?? '',
    route: target.route ?? '',
    weight: target.weight,
    isShared: index > 0 && sorted[index - 1]?.order === target.order,
  }))
}

/** For each row the number of its step, from 0: rows of one step share its calls. */
export function stepsOf(rows: TargetRow[]): number[] {
  let step = -1
  return rows.map((row, index) => (index === 0 || !row.isShared ? (step += 1) : step))
}

/** The targets of rows. The order is the number of the step. */
export function targetsOf(rows: TargetRow[]): Schema<'TargetInput'>[] {
  const steps = stepsOf(rows)
  return rows.map((row, index) => {
    const place = { order: steps[index] ?? 0, weight: row.weight }
    return row.route ? { route: row.route, ...place } : { provider: row.provider, model: row.model.trim(), ...place }
  })
}

/** The share of the calls of its step that each row begins with; null where it has its step for itself. */
export function sharesOf(rows: TargetRow[]): (number | null)[] {
  const steps = stepsOf(rows)
  return rows.map((row, index) => {
    const peers = rows.filter((_, other) => steps[other] === steps[index])
    const sum = peers.reduce((total, peer) => total + peer.weight, 0)
    return peers.length === 1 ? null : sum === 0 ? 0 : row.weight / sum
  })
}

/** The rows with one moved to another place. */
export function moved(rows: TargetRow[], from: number, to: number): TargetRow[] {
  const row = rows[from]
  if (!row || to < 0 || to >= rows.length || to === from) return rows
  const changed = rows.filter((_, index) => index !== from)
  changed.splice(to, 0, row)
  return changed
}

/** What a target is called in the attempts of calls. */
export function nameOf(target: { provider?: string; model?: string; route?: string }): string {
  return target.route ? target.route : `${target.provider}/${target.model}`
}
