import { expect, test } from 'vitest'
import source from '../../../crates/identity/src/permissions.rs?raw'
import openapi from '../../../docs/openapi.json?raw'
import { GROUPS, includes, PERMISSION_GROUPS, toggled } from './permissions'

const all: string[] = GROUPS.flatMap((group) => [...PERMISSION_GROUPS[group]])

test('every permission that an operation requires is listed', () => {
  const document_ = JSON.parse(openapi) as { paths: Record<string, Record<string, { security?: { api_key?: string[] }[] }>> }
  const required = Object.values(document_.paths).flatMap((path) => Object.values(path).flatMap((operation) => (operation.security ?? []).flatMap((each) => each.api_key ?? [])))
  expect(required.filter((permission) => !all.includes(permission))).toEqual([])
})

test('every permission of the built-in roles is listed', () => {
  const known = [...new Set([...source.matchAll(/^ {4}\("([a-z_]+:[a-z]+)",/gm)].map((match) => match[1]))]
  expect(known.length).toBeGreaterThan(50)
  expect(known.sort()).toEqual([...all].sort())
})

test('the star includes every permission', () => {
  expect(includes(['*'], 'users:write')).toBe(true)
  expect(includes(['users:read'], 'users:write')).toBe(false)
})

test('a toggled permission is added in its place or removed', () => {
  expect(toggled(['users:write'], 'users:read')).toEqual(['users:read', 'users:write'])
  expect(toggled(['users:read', 'users:write'], 'users:read')).toEqual(['users:write'])
})
