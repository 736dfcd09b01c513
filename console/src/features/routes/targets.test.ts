import { expect, test } from 'vitest'
import { moved, rowsOf, sharesOf, stepsOf, targetsOf } from './targets'

const targets = [
  { provider: 'local', model: 'c', order: 5, weight: 1 },
  { provider: 'openai', model: 'a', order: 0, weight: 3 },
  { provider: 'qwen', model: 'b', order: 0, weight: 1 },
]

test('targets of one order share a step, whatever the numbers of the orders', () => {
  const rows = rowsOf(targets)
  expect(rows.map((row) => row.model)).toEqual(['a', 'b', 'c'])
  expect(stepsOf(rows)).toEqual([0, 0, 1])
  expect(targetsOf(rows)).toEqual([
    { provider: 'openai', model: 'a', order: 0, weight: 3 },
    { provider: 'qwen', model: 'b', order: 0, weight: 1 },
    { provider: 'local', model: 'c', order: 1, weight: 1 },
  ])
})

test('shares follow the weights of a step', () => {
  expect(sharesOf(rowsOf(targets))).toEqual([0.75, 0.25, null])
})

test('a moved row takes its new place, and the first row begins the first step', () => {
  const rows = moved(rowsOf(targets), 1, 0)
  expect(rows.map((row) => row.model)).toEqual(['b', 'a', 'c'])
  expect(stepsOf(rows)).toEqual([0, 1, 2])
  expect(moved(rows, 0, -1)).toBe(rows)
})

test('a route may stand in place of a model', () => {
  const [target] = targetsOf(rowsOf([{ route: 'fast', order: 0, weight: 1 }]))
  expect(target).toEqual({ route: 'fast', order: 0, weight: 1 })
})
