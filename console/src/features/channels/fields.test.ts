import { expect, test } from 'vitest'
import { channelFields } from './fields'

const t = { kinds: { webhook: 'Webhook', telegram: 'Telegram' } } as Parameters<typeof channelFields>[0]
const names = (...given: Parameters<typeof channelFields>) => channelFields(...given).map((field) => field.name)

test('the fields of the connection appear with the kind', () => {
  expect(names(t, undefined, [], true)).toEqual(['name', 'kind'])
  expect(names(t, 'webhook', [], true)).toContain('config.url')
  expect(names(t, 'telegram', [], true)).toContain('config.bot_token')
})

test('what can not be changed later is missing in the form of a channel that exists', () => {
  const fields = channelFields(t, 'telegram', [], false)
  expect(fields.map((field) => field.name)).not.toContain('name')
  // A sealed token is kept when it is left empty.
  expect(fields.find((field) => field.name === 'config.bot_token')?.isRequired).toBe(false)
})
