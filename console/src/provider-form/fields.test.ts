import { expect, test } from 'vitest'
import { providerFields } from './fields'

const schema = {
  properties: {
    api_key: { type: 'string', writeOnly: true, description: 'sent as a Bearer token' },
    api_keys: { type: 'array', items: { type: 'string', writeOnly: true } },
    base_url: { type: 'string', examples: ['https://one.example'], default: 'https://one.example', description: 'base URL' },
    novel: { type: 'integer', description: 'something new' },
  },
}

test('the address and the key come first, and the rest apart', () => {
  const { main, more } = providerFields('openai', schema, 'en')
  expect(main.map((field) => field.name)).toEqual(['config.base_url', 'config.api_key'])
  expect(more.map((field) => field.name)).toEqual(['config.api_keys', 'config.novel'])
})

test('secrets are written only', () => {
  const { main, more } = providerFields('openai', schema, 'en')
  expect(main[1]?.kind).toBe('secret')
  expect(more[0]?.kind).toBe('secrets')
})

test('known fields have names and help in Chinese, by the kind of provider', () => {
  const { main } = providerFields('dify', schema, 'zh')
  expect(main[1]?.help).toBe('应用的 API key，以 Bearer 令牌发送')
})

test('an unknown field has the texts of the schema', () => {
  const { more } = providerFields('openai', schema, 'zh')
  expect(more[1]).toMatchObject({ label: 'novel', help: 'something new', kind: 'number' })
})
