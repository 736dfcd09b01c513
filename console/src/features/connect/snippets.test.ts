import { expect, test } from 'vitest'
import { FRAMEWORKS, serviceName, snippetsOf } from './snippets'

const VALUES = { origin: 'https://loam.example.com', key: 'loam_pk_1', service: 'shop' }

test('each set-up names the server and the key', () => {
  for (const framework of FRAMEWORKS) {
    const code = snippetsOf(framework, VALUES).map((snippet) => snippet.code).join('\n')
    expect(code).toContain('https://loam.example.com/')
    expect(code).toContain('INGEST_KEY=loam_pk_1')
  }
})

test('a key that is no longer known is left to fill in', () => {
  expect(snippetsOf('http', { ...VALUES, key: null })[0]?.code).toBe('export INGEST_KEY=<ingest key>')
})

test('the JSON of the request is valid once the shell has filled in the time', () => {
  const send = snippetsOf('http', VALUES).find((snippet) => snippet.name === 'send')
  const json = send?.code.split("-d '")[1]?.replace(/'\$NOW'/g, '1795339200').replace(/'$/, '')
  expect(JSON.parse(json ?? '').records[0].function_calls).toHaveLength(2)
})

test('a name of a project becomes one that a shell takes as it is', () => {
  expect(serviceName('Support desk (sample)')).toBe('support-desk-sample')
  expect(serviceName('客服')).toBe('shop')
})
