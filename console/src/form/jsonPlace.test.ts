import { expect, test } from 'vitest'
import { placeOf, stepsOf, syntaxError } from './jsonPlace'

const TEXT = JSON.stringify({ trace_id: 'a "quoted" {name', calls: [{ id: 1 }, { id: 2, name: 'load' }], status: { code: 'abc' } }, null, 2)

function at(path: string): string | undefined {
  const place = placeOf(TEXT, path)
  return place ? TEXT.slice(place.start, place.end) : undefined
}

test('a path has steps', () => {
  expect(stepsOf('function_calls[0].name')).toEqual(['function_calls', 0, 'name'])
})

test('the value at a path is found, past strings with brackets', () => {
  expect(at('status.code')).toBe('"abc"')
  expect(at('calls[1].name')).toBe('"load"')
  expect(placeOf(TEXT, 'calls[1].name')?.line).toBe(9)
})

test('of a path that leads too far the last part is found', () => {
  expect(at('status.missing')).toBe('{\n    "code": "abc"\n  }')
  expect(at('calls[7]')).toContain('"load"')
})

test('an empty path is the whole value, and a torn text has no place', () => {
  expect(at('')).toBe(TEXT)
  expect(placeOf('{"a": [1, ', 'b')).toBeNull()
})

test('a syntax error has a line', () => {
  expect(syntaxError(TEXT)).toBeNull()
  expect(syntaxError('{\n  "a": 1,\n  "b" 2\n}')?.line).toBe(3)
  expect(syntaxError('{\n  "a": 1')?.line).toBe(2)
})
