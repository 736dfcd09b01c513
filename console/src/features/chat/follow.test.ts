import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Followed, Follower } from './follow'

interface Sent {
  url: string
  method: string
  headers: Headers
}

const sent: Sent[] = []
let answers: (() => Response)[] = []

const events = (from: number, ...told: [string, unknown][]) => told.map(([event, data], index) => `id: ${from + index}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`).join('')
const stream = (text: string) => () => new Response(text, { headers: { 'content-type': 'text/event-stream' } })
const failure = (status: number, code: string) => () => new Response(JSON.stringify({ error: { code, message: code } }), { status })
const STARTED: [string, unknown] = ['started', { turn_id: 't', session_id: 's', user_message_id: 'q', model: 'chat' }]
const ENDED: [string, unknown] = ['ended', { state: 'completed', finish_reason: 'stop', error: null, usage: {} }]

beforeEach(() => {
  vi.useFakeTimers()
  sent.length = 0
  vi.stubGlobal('addEventListener', () => {})
  vi.stubGlobal('removeEventListener', () => {})
  vi.stubGlobal('fetch', async (url: string, init: RequestInit = {}) => {
    sent.push({ url, method: init.method ?? 'GET', headers: init.headers as Headers })
    const next = answers.shift()
    if (!next) throw new TypeError('connection refused')
    return next()
  })
})

afterEach(() => {
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

async function follow(...given: (() => Response)[]): Promise<Followed[]> {
  answers = given
  const seen: Followed[] = []
  const follower = new Follower('s', { path: '/api/v1/chat_sessions/{id}/turns', params: { id: 's' }, body: { content: 'hi' } }, (followed) => seen.push(followed))
  await vi.advanceTimersByTimeAsync(20_000)
  follower.close()
  return seen
}

describe('a turn that is followed', () => {
  it('continues behind the last event after a lost connection', async () => {
    const seen = await follow(stream(events(1, STARTED, ['delta', { text: 'one ' }])), failure(503, 'stopping'), stream(events(3, ['delta', { text: 'two' }], ENDED)))
    expect(sent.map(({ method, url }) => `${method} ${url}`)).toEqual(['POST /api/v1/chat_sessions/s/turns', 'GET /api/v1/chat_sessions/s/turns/t/stream', 'GET /api/v1/chat_sessions/s/turns/t/stream'])
    expect(sent[2]?.headers.get('last-event-id')).toBe('2')
    expect(seen.some(({ connection }) => connection.state === 'waiting')).toBe(true)
    expect(seen.at(-1)?.answer).toMatchObject({ state: 'ended', parts: [{ text: 'one two' }] })
  })
  it('is created once, however often the request is sent', async () => {
    const repeated = () => new Response(JSON.stringify({ id: 't' }), { headers: { 'content-type': 'application/json' } })
    const unreachable = () => {
      throw new TypeError('connection refused')
    }
    const seen = await follow(unreachable, repeated, stream(events(1, STARTED, ENDED)))
    expect(sent.map(({ method }) => method)).toEqual(['POST', 'POST', 'GET'])
    expect(sent[0]?.headers.get('idempotency-key')).toBe(sent[1]?.headers.get('idempotency-key'))
    expect(seen.at(-1)?.answer.state).toBe('ended')
  })
  it('fails with what the server refuses', async () => {
    const seen = await follow(failure(502, 'provider_unavailable'))
    expect(sent.length).toBe(1)
    expect(seen.at(-1)?.connection).toMatchObject({ state: 'failed', error: { code: 'provider_unavailable' } })
  })
  it('waits longer and longer while nobody answers', async () => {
    const seen = await follow(stream(events(1, STARTED)))
    const pauses = seen.flatMap(({ connection }) => (connection.state === 'waiting' ? [connection.seconds] : []))
    expect(pauses).toEqual([0.5, 1, 2, 4, 8, 15])
  })
})
