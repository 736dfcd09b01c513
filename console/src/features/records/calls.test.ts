import { describe, expect, it } from 'vitest'
import type { Schema } from '@/api/types'
import { callsOfFinding, columnsOf, exceptionsOf, largestOf, operationsOf } from './calls'

function call(id: string, depth: number, start: string, duration: number, more: { work?: string; statement?: string; hit?: boolean; rows?: number; memory?: number; exception?: string } = {}): Schema<'FunctionCallView'> {
  return {
    id,
    trace_id: 't',
    call_id: id,
    parent_call_id: null,
    function_info: { name: more.statement ? 'execute' : id, module: 'shop', class_name: null, file_path: '/shop.py', line_number: 3 },
    execution_info: { start_time: start, end_time: start, duration, self_time: duration, cpu_time: null, memory_delta: more.memory ?? null },
    call_context: { depth, call_order: 0, is_recursive: false, exception_info: more.exception ?? null },
    detail: more.statement ? { statement: more.statement, hit: more.hit ?? null, rows: more.rows ?? null } : undefined,
    performance_tags: [],
    work: more.work ?? 'function',
    created_at: start,
  } as unknown as Schema<'FunctionCallView'>
}

const calls = columnsOf([
  call('root', 0, '2026-11-30T19:48:59.999999000Z', 3, { memory: 10 }),
  call('c1', 1, '2026-11-30T19:49:00.000000500Z', 1, { work: 'database', statement: 'SELECT 1', rows: 2 }),
  call('c2', 1, '2026-11-30T19:49:01Z', 1, { work: 'database', statement: 'SELECT 1', rows: 3, exception: 'Timeout: late' }),
  call('c3', 1, '2026-11-30T19:49:01.5Z', 0.5, { work: 'database', statement: 'SELECT 1', memory: 30 }),
  call('c4', 1, '2026-11-30T19:49:02Z', 0.2, { work: 'cache', statement: 'item:*', hit: true }),
  call('c5', 1, '2026-11-30T19:49:02.5Z', 0.2, { work: 'cache', statement: 'item:*', hit: false }),
])

describe('the columns of calls', () => {
  it('have times to the nanosecond across seconds', () => {
    expect(calls.start[1]).toBeCloseTo(0.0000015, 8)
    expect(calls.start[3]).toBeCloseTo(1.500001, 6)
  })
  it('share the labels of equal calls', () => {
    expect(calls.label[1]).toBe(calls.label[3])
    expect(calls.labels).toHaveLength(3)
    expect(calls.labels[0]).toEqual({ name: 'shop.root', short: 'root', kind: 'function', place: '/shop.py:3', statement: null })
  })
  it('know callers and exceptions', () => {
    expect([...calls.parent]).toEqual([-1, 0, 0, 0, 0, 0])
    expect(calls.exceptions).toEqual(new Map([[2, 'Timeout: late']]))
  })
})

describe('operations', () => {
  it('are added up by statement', () => {
    expect(operationsOf(calls, 'database')).toEqual([{ statement: 'SELECT 1', kind: 'database', indexes: [1, 2, 3], total: 2.5, longest: 1, errors: 1, rows: 5, hitRate: null }])
  })
  it('of a cache have a share of hits', () => {
    expect(operationsOf(calls, 'cache')[0]?.hitRate).toBe(0.5)
  })
})

it('exceptions are counted by function and text', () => {
  expect(exceptionsOf(calls)).toEqual([{ first: 2, exception: 'Timeout: late', count: 1 }])
})

it('the largest calls come first', () => {
  expect(largestOf(calls, 5)).toEqual([3, 0])
})

describe('the calls of a finding', () => {
  it('are those that it names', () => {
    expect(callsOfFinding(calls, { calls: ['c1', 'c3'], count: 2 })).toEqual([1, 3])
  })
  it('include those like them, when it counts more than it names', () => {
    expect(callsOfFinding(calls, { calls: ['c1'], count: 3 })).toEqual([1, 2, 3])
  })
})
