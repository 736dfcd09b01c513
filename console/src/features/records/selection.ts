import type { Schema } from '@/api/types'
import { KINDS, type Kind } from '@/flame/tree'
import { type Calls, callsOfFinding, operationsOf } from './calls'

/** The calls that a text of the URL chooses: `finding:2`, `database:0` (of the operations by time). */
export function chosenCalls(calls: Calls, findings: Schema<'Finding'>[], text: string | undefined): number[] {
  const [what = '', at = ''] = (text ?? '').split(':')
  const index = Number(at)
  if (what === 'finding') {
    const finding = findings[index]
    return finding ? callsOfFinding(calls, finding) : []
  }
  return KINDS.includes(what as Kind) ? (operationsOf(calls, what as Kind)[index]?.indexes ?? []) : []
}

/** Marks some nodes among as many. */
export function marksOf(size: number, nodes: Iterable<number>): Uint8Array | null {
  const marks = new Uint8Array(size)
  let isAny = false
  for (const node of nodes) {
    marks[node] = 1
    isAny = true
  }
  return isAny ? marks : null
}
