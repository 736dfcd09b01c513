/** An event of an event stream (`text/event-stream`). */
export interface StreamEvent {
  id: string
  event: string
  data: string
}

/** Takes the parts of an event stream as they arrive, and gives the events that are whole. */
export class EventParser {
  private rest = ''

  push(part: string): StreamEvent[] {
    const lines = (this.rest + part).split(/\r\n|\n|\r(?!$)/)
    let from = 0
    const events: StreamEvent[] = []
    let current: StreamEvent = { id: '', event: 'message', data: '' }
    let isFilled = false
    // The last line isn't whole, and the lines after the last blank one belong to an event that isn't.
    for (let index = 0; index < lines.length - 1; index += 1) {
      const line = lines[index] as string
      if (line === '') {
        if (isFilled) events.push({ ...current, data: current.data.slice(0, -1) })
        current = { id: '', event: 'message', data: '' }
        isFilled = false
        from = index + 1
        continue
      }
      const colon = line.indexOf(':')
      const name = colon < 0 ? line : line.slice(0, colon)
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
      if (name === 'id') current.id = value
      else if (name === 'event') current.event = value
      else if (name === 'data') {
        current.data += `${value}\n`
        isFilled = true
      }
    }
    this.rest = lines.slice(from).join('\n')
    return events
  }
}

/** Reads the events of a response. Fails if nothing arrives for `silence` milliseconds, not even a keep-alive. */
export async function readEvents(response: Response, onEvents: (events: StreamEvent[]) => void, silence: number): Promise<void> {
  const reader = response.body?.getReader()
  if (!reader) return
  const decoder = new TextDecoder()
  const parser = new EventParser()
  try {
    for (;;) {
      const { done, value } = await within(reader.read(), silence)
      if (done) return
      const events = parser.push(decoder.decode(value, { stream: true }))
      if (events.length > 0) onEvents(events)
    }
  } finally {
    void reader.cancel().catch(() => {})
  }
}

function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the stream is silent')), ms)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
