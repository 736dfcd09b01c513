import { expect, test } from 'vitest'
import { fieldChanges } from './diff'

test('equal values have no changes', () => {
  expect(fieldChanges({ a: [1, { b: null }] }, { a: [1, { b: null }] })).toEqual([])
})

test('a changed field is named by its path', () => {
  expect(fieldChanges({ sampling: { reads: 0, writes: 1 } }, { sampling: { reads: 0.5, writes: 1 } })).toEqual([
    { path: 'sampling.reads', kind: 'changed', before: 0, after: 0.5 },
  ])
})

test('added and removed objects are shown by their fields', () => {
  expect(fieldChanges({ a: { b: 1 } }, { c: { d: { e: null } } })).toEqual([
    { path: 'a.b', kind: 'removed', before: 1, after: undefined },
    { path: 'c.d.e', kind: 'added', before: undefined, after: null },
  ])
})

test('items of lists are compared by position', () => {
  expect(fieldChanges({ targets: ['a', 'b'] }, { targets: ['a', 'c', 'd'] })).toEqual([
    { path: 'targets[1]', kind: 'changed', before: 'b', after: 'c' },
    { path: 'targets[2]', kind: 'added', before: undefined, after: 'd' },
  ])
})

test('a value that was not there at all is one change', () => {
  expect(fieldChanges(null, { a: 1 })).toEqual([{ path: '', kind: 'changed', before: null, after: { a: 1 } }])
  expect(fieldChanges({ a: 1 }, [1])).toEqual([{ path: '', kind: 'changed', before: { a: 1 }, after: [1] }])
})
