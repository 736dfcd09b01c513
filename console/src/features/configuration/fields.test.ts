import { expect, test } from 'vitest'
import { configFields, enteredValue, hasPath, rebasedValue, shownValue, withoutPath, withPath } from './fields'

const SCHEMA = {
  type: 'object',
  properties: {
    sampling: { type: 'object', properties: { reads: { type: 'number', minimum: 0, maximum: 1 }, writes: { type: 'number' } } },
    days: { type: ['integer', 'null'], minimum: 1 },
    bodies: { type: ['boolean', 'null'] },
    overflow: { enum: ['drop_oldest', 'summarize'] },
    origins: { type: 'array', items: { type: 'string' } },
    windows: { type: 'object', additionalProperties: { type: 'integer' } },
  },
}
const field = (name: string) => configFields(SCHEMA).find((each) => each.name === name)!

test('nested objects give fields of a group', () => {
  expect(configFields(SCHEMA).map(({ name, kind, group }) => [name, kind, group])).toEqual([
    ['sampling.reads', 'number', 'sampling'],
    ['sampling.writes', 'number', 'sampling'],
    ['days', 'number', undefined],
    ['bodies', 'choice', undefined],
    ['overflow', 'choice', undefined],
    ['origins', 'texts', undefined],
    ['windows', 'json', undefined],
  ])
  expect(configFields({ type: 'integer' })).toEqual([])
})

test('an emptied field that may be null is null, and a boolean that may be null has three values', () => {
  expect(enteredValue(field('days'), undefined, 30)).toBeNull()
  expect(shownValue(field('bodies'), false)).toBe('false')
  expect(enteredValue(field('bodies'), 'true', null)).toBe(true)
  expect(enteredValue(field('bodies'), undefined, null)).toBeNull()
})

test('of a map only what differs from the level below is set', () => {
  expect(enteredValue(field('windows'), { a: 1, b: 2 }, { a: 1, b: 3 })).toEqual({ b: 2 })
})

test('fields are set and removed by their paths', () => {
  const value = withPath({ bodies: true }, 'sampling.reads', 0.5)
  expect(value).toEqual({ bodies: true, sampling: { reads: 0.5 } })
  expect(hasPath(value, 'sampling.reads')).toBe(true)
  expect(hasPath(value, 'sampling.writes')).toBe(false)
  expect(withoutPath(value, 'sampling.reads')).toEqual({ bodies: true })
  expect(withoutPath(withPath(value, 'sampling.writes', 1), 'sampling.reads')).toEqual({ bodies: true, sampling: { writes: 1 } })
})

test('what was entered is carried over to a newer value field by field', () => {
  const fields = configFields(SCHEMA)
  const before = { sampling: { reads: 0.5, writes: 1 }, days: 7 }
  const draft = { sampling: { reads: 0.1, writes: 1 } }
  const newest = { sampling: { reads: 0.9, writes: 0 }, days: 7, origins: ['a'] }
  expect(rebasedValue(fields, before, draft, newest)).toEqual({ sampling: { reads: 0.1, writes: 0 }, origins: ['a'] })
})
