import { expect, test } from 'vitest'
import { bodyOf, carriedOver, changedFields, type Field, fieldsOfSchema, initialValues } from './field'

const fields: Field[] = [
  { name: 'name', label: 'Name' },
  { name: 'config.base_url', label: 'URL' },
  { name: 'config.api_key', label: 'Key', kind: 'secret' },
  { name: 'is_active', label: 'Active', kind: 'boolean', initial: true },
]

test('a new thing is sent with what is filled', () => {
  const values = { ...initialValues(fields), name: 'a', 'config.base_url': 'http://x', 'config.api_key': '' }
  expect(bodyOf(fields, values)).toEqual({ name: 'a', config: { base_url: 'http://x' }, is_active: true })
})

test('of a change only what differs is sent, and what was removed as null', () => {
  const existing = { name: 'a', config: { base_url: 'http://x', api_key: { sealed: true, last4: '1234' } }, is_active: true }
  const values = { ...initialValues(fields, existing), 'config.base_url': '', is_active: false }
  expect(bodyOf(fields, values, existing)).toEqual({ config: { base_url: null }, is_active: false })
})

test('a secret is kept unless a new one is written', () => {
  const existing = { config: { api_key: { sealed: true, last4: '1234' } } }
  expect(bodyOf(fields, initialValues(fields, existing), existing)).toEqual({})
  expect(bodyOf(fields, { ...initialValues(fields, existing), 'config.api_key': 'new' }, existing)).toEqual({ config: { api_key: 'new' } })
})

test('a schema becomes fields of the kinds that suit', () => {
  const schema = {
    required: ['base_url'],
    properties: {
      base_url: { type: 'string', description: 'Where it is.' },
      api_key: { type: 'string', writeOnly: true },
      timeout: { type: ['integer', 'null'], minimum: 1, maximum: 600, default: 60 },
      mode: { enum: ['a', 'b'] },
      models: { type: 'array', items: { type: 'string' } },
      extra: { type: 'object' },
      on: { type: 'boolean' },
    },
  }
  const made = fieldsOfSchema(schema, 'config')
  expect(made.map(({ name, kind }) => [name, kind])).toEqual([
    ['config.base_url', 'text'],
    ['config.api_key', 'secret'],
    ['config.timeout', 'number'],
    ['config.mode', 'choice'],
    ['config.models', 'texts'],
    ['config.extra', 'json'],
    ['config.on', 'boolean'],
  ])
  expect(made[0]).toMatchObject({ isRequired: true, help: 'Where it is.' })
  expect(made[2]).toMatchObject({ min: 1, max: 600, initial: 60, step: 1 })
})

test('what was entered is carried over to a newer version, and the rest is taken from it', () => {
  const before = { name: 'a', config: { base_url: 'http://x' }, is_active: true }
  const newest = { name: 'b', config: { base_url: 'http://y' }, is_active: true }
  const entered = { ...initialValues(fields, before), 'config.base_url': 'http://mine', 'config.api_key': 'new' }
  const carried = carriedOver(fields, entered, before, newest)
  expect(carried).toEqual({ name: 'b', 'config.base_url': 'http://mine', 'config.api_key': 'new', is_active: true })
  expect(bodyOf(fields, carried, newest)).toEqual({ config: { base_url: 'http://mine', api_key: 'new' } })
  expect(changedFields(fields, before, newest).map(({ name }) => name)).toEqual(['name', 'config.base_url'])
})
