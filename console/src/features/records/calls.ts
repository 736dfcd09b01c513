import type { Schema } from '@/api/types'
import { type CallTree, emptyTree, type Kind, KINDS, type Label, linkByDepth } from '@/flame/tree'

type Call = Schema<'FunctionCallView'>

/** The calls of a record as columns. */
export interface Calls extends CallTree {
  ids: string[]
  /** Bytes, seconds; NaN where they weren't measured. */
  memory: Float64Array
  cpu: Float64Array
  /** 1 for a hit of a cache, 0 for a miss, -1 for neither. */
  hit: Int8Array
  /** Rows of a query; -1 where they weren't reported. */
  rows: Float64Array
  /** The exceptions of the calls that raised one, by index. */
  exceptions: Map<number, string>
}

/** Puts calls, each after its caller, into columns. Times count from the start of the first. */
export function columnsOf(views: Call[]): Calls {
  const labels: Label[] = []
  const known = new Map<string, number>()
  const size = views.length
  const calls: Calls = {
    ...emptyTree(size, labels),
    ids: views.map((view) => view.call_id),
    memory: new Float64Array(size).fill(Number.NaN),
    cpu: new Float64Array(size).fill(Number.NaN),
    hit: new Int8Array(size).fill(-1),
    rows: new Float64Array(size).fill(-1),
    exceptions: new Map(),
  }
  const secondsSinceStart = clockFrom(views[0]?.execution_info.start_time ?? '')
  views.forEach((view, index) => {
    const { execution_info: execution, call_context: context, detail } = view
    calls.depth[index] = context.depth
    calls.start[index] = secondsSinceStart(execution.start_time)
    calls.width[index] = calls.total[index] = execution.duration
    calls.self[index] = execution.self_time
    calls.count[index] = 1
    if (context.exception_info) {
      calls.errors[index] = 1
      calls.exceptions.set(index, context.exception_info)
    }
    if (execution.memory_delta !== null) calls.memory[index] = execution.memory_delta
    if (execution.cpu_time !== null) calls.cpu[index] = execution.cpu_time
    if (detail?.hit != null) calls.hit[index] = detail.hit ? 1 : 0
    if (detail?.rows != null) calls.rows[index] = detail.rows
    const label = labelOfView(view)
    const key = `${label.kind} ${label.name} ${label.place} ${label.statement}`
    let at = known.get(key)
    if (at === undefined) {
      at = labels.push(label) - 1
      known.set(key, at)
    }
    calls.label[index] = at
  })
  linkByDepth(calls)
  return calls
}

function labelOfView({ function_info: info, work, detail }: Call): Label {
  const short = [info.class_name, info.name].filter(Boolean).join('.')
  return {
    name: info.module ? `${info.module}.${short}` : short,
    short,
    kind: KINDS.includes(work as Kind) ? (work as Kind) : 'function',
    place: info.file_path ? `${info.file_path}${info.line_number ? `:${info.line_number}` : ''}` : null,
    statement: detail?.statement ?? detail?.target ?? null,
  }
}

/** Reads times of RFC 3339 to the nanosecond, as seconds after the first. Most calls of a record lie in few seconds,
 * which are parsed once; their fractions are added last, as seconds since 1970 have no room for nanoseconds. */
function clockFrom(first: string): (time: string) => number {
  const SECOND = 19
  const parsed = new Map<string, number>()
  const partsOf = (time: string): [seconds: number, fraction: number] => {
    const zone = time.search(/(Z|[+-]\d\d:\d\d)$/)
    const key = time.slice(0, SECOND) + time.slice(zone)
    let seconds = parsed.get(key)
    if (seconds === undefined) parsed.set(key, (seconds = Date.parse(key) / 1000))
    return [seconds, zone > SECOND ? Number(`0${time.slice(SECOND, zone)}`) : 0]
  }
  const [zeroSeconds, zeroFraction] = partsOf(first)
  return (time) => {
    const [seconds, fraction] = partsOf(time)
    return seconds - zeroSeconds + (fraction - zeroFraction)
  }
}

/** Operations with one statement, added up. */
export interface Operation {
  statement: string
  kind: Kind
  indexes: number[]
  total: number
  longest: number
  errors: number
  rows: number | null
  /** The share of hits among hits and misses of a cache. */
  hitRate: number | null
}

/** The operations of a kind by statement, those with the most time first. */
export function operationsOf(calls: Calls, kind: Kind): Operation[] {
  const found = new Map<string, Operation & { hits: number; misses: number }>()
  for (let index = 0; index < calls.size; index += 1) {
    const label = calls.labels[calls.label[index] as number] as Label
    if (label.kind !== kind) continue
    const statement = label.statement ?? label.name
    let operation = found.get(statement)
    if (!operation) found.set(statement, (operation = { statement, kind, indexes: [], total: 0, longest: 0, errors: 0, rows: null, hitRate: null, hits: 0, misses: 0 }))
    operation.indexes.push(index)
    operation.total += calls.total[index] as number
    operation.longest = Math.max(operation.longest, calls.total[index] as number)
    operation.errors += calls.errors[index] as number
    if ((calls.rows[index] as number) >= 0) operation.rows = (operation.rows ?? 0) + (calls.rows[index] as number)
    if (calls.hit[index] === 1) operation.hits += 1
    if (calls.hit[index] === 0) operation.misses += 1
  }
  return [...found.values()]
    .map(({ hits, misses, ...operation }) => ({ ...operation, hitRate: hits + misses > 0 ? hits / (hits + misses) : null }))
    .sort((a, b) => b.total - a.total)
}

/** The exceptions by function and text, the most frequent first. */
export function exceptionsOf(calls: Calls): { first: number; exception: string; count: number }[] {
  const found = new Map<string, { first: number; exception: string; count: number }>()
  for (const [index, exception] of calls.exceptions) {
    const key = `${calls.label[index]} ${exception}`
    const known = found.get(key)
    if (known) known.count += 1
    else found.set(key, { first: index, exception, count: 1 })
  }
  return [...found.values()].sort((a, b) => b.count - a.count)
}

/** The calls that gained the most memory. */
export function largestOf(calls: Calls, count: number): number[] {
  const measured = [...calls.memory.keys()].filter((index) => (calls.memory[index] as number) > 0)
  return measured.sort((a, b) => (calls.memory[b] as number) - (calls.memory[a] as number)).slice(0, count)
}

/** The calls of a finding. It names at most 20: further ones are those like them, by the same caller. */
export function callsOfFinding(calls: Calls, finding: Pick<Schema<'Finding'>, 'calls' | 'count'>): number[] {
  const named = new Set(finding.calls)
  const chosen = [...calls.ids.keys()].filter((index) => named.has(calls.ids[index] as string))
  if (chosen.length === 0 || chosen.length >= finding.count) return chosen
  const keyOf = (index: number) => `${calls.parent[index]} ${calls.label[index]}`
  const alike = new Set(chosen.map(keyOf))
  const all = new Set(chosen)
  for (let index = 0; index < calls.size && all.size < finding.count; index += 1) if (alike.has(keyOf(index))) all.add(index)
  return [...all].sort((a, b) => a - b)
}
