import { describe, expect, it } from 'vitest'
import { EventParser, readEvents, type StreamEvent } from './events'

const STREAM = 'id: 1\nevent: started\ndata: {"a":1}\n\n: keep-alive\n\nid: 2\nevent: delta\ndata: one\ndata: two\n\r\nid: 3\r\ndata: 土\r\n\r\nevent: empty\n\n'
const EVENTS = [
  { id: '1', event: 'started', data: '{"a":1}' },
  { id: '2', event: 'delta', data: 'one\ntwo' },
  { id: '3', event: 'message', data: '土' },
]

describe('an event stream', () => {
  it.each([1, 2, 5, 1000])('gives the same events in parts of %d characters', (size) => {
    const parser = new EventParser()
    const events: StreamEvent[] = []
    for (let at = 0; at < STREAM.length; at += size) events.push(...parser.push(STREAM.slice(at, at + size)))
    expect(events).toEqual(EVENTS)
  })
  it('is read from bytes that cut characters', async () => {
    const bytes = new TextEncoder().encode(STREAM)
    const body = new ReadableStream({
      start(controller) {
        for (const byte of bytes) controller.enqueue(new Uint8Array([byte]))
        controller.close()
      },
    })
    const events: StreamEvent[] = []
    await readEvents(new Response(body), (some) => events.push(...some), 1000)
    expect(events).toEqual(EVENTS)
  })
  it('fails when it is silent', async () => {
    const body = new ReadableStream({ start() {} })
    await expect(readEvents(new Response(body), () => {}, 5)).rejects.toThrow('silent')
  })
})
