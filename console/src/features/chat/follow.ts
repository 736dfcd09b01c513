import { ApiError, headersOf, send, urlOf } from '@/api/request'
import { readEvents } from '@/api/events'
import { Pace } from './pace'
import { type Answer, applyEvent, NO_ANSWER } from './turn'

export type Connection = { state: 'open' } | { state: 'waiting'; seconds: number } | { state: 'failed'; error: ApiError }

export interface Followed {
  answer: Answer
  connection: Connection
}

/** How a turn begins: with a request that creates it, or with one that was made before. */
export type Beginning = { path: string; params: Record<string, string>; body: object } | { turnId: string }

const FIRST_PAUSE = 500
const LONGEST_PAUSE = 15_000
/** The server sends a keep-alive more often. */
const SILENCE = 45_000

/** Follows a turn to its end, over lost connections and restarts of the server. */
export class Follower {
  private followed: Followed = { answer: NO_ANSWER, connection: { state: 'open' } }
  private readonly aborter = new AbortController()
  private drawn = 0
  private readonly pace = new Pace()
  private timer: ReturnType<typeof setTimeout> | undefined
  private wake: () => void = () => {}

  constructor(
    private readonly sessionId: string,
    private readonly beginning: Beginning,
    private readonly onChange: (followed: Followed) => void,
  ) {
    if ('turnId' in beginning) this.followed.answer = { ...NO_ANSWER, turnId: beginning.turnId }
    void this.run()
  }

  close(): void {
    this.aborter.abort()
    clearTimeout(this.timer)
    this.wake()
  }

  /** Tries at once, or goes on after the results of tools were sent. */
  retry(): void {
    this.wake()
  }

  private async run(): Promise<void> {
    // The same key for each try: the turn is created once.
    const key = crypto.randomUUID()
    let pause = FIRST_PAUSE
    while (!this.aborter.signal.aborted && this.followed.answer.state !== 'ended') {
      const before = this.followed.answer.lastEvent
      try {
        const response = await this.connect(key)
        this.change({ connection: { state: 'open' } })
        if (response.status === 204) return this.change({ answer: { ...this.followed.answer, state: 'ended' } })
        if (response.headers.get('content-type')?.startsWith('text/event-stream')) {
          await readEvents(response, (events) => this.change({ answer: events.reduce(applyEvent, this.followed.answer) }), SILENCE)
        } else {
          const { id } = (await response.json()) as { id: string }
          this.change({ answer: { ...this.followed.answer, turnId: id } })
        }
      } catch (cause) {
        if (this.aborter.signal.aborted) return
        if (cause instanceof ApiError && !isTemporary(cause)) return this.change({ connection: { state: 'failed', error: cause } })
      }
      const { answer } = this.followed
      if (answer.state === 'ended') return
      if (answer.state === 'requires_action') {
        await this.pause(null)
        continue
      }
      if (answer.lastEvent > before) pause = FIRST_PAUSE
      await this.pause(pause)
      pause = Math.min(pause * 2, LONGEST_PAUSE)
    }
  }

  private connect(key: string): Promise<Response> {
    const { turnId, lastEvent } = this.followed.answer
    const { signal } = this.aborter
    if (turnId) {
      const url = urlOf('/api/v1/chat_sessions/{id}/turns/{turn}/stream', { id: this.sessionId, turn: turnId })
      return send(url, { headers: headersOf('get', { accept: 'text/event-stream', ...(lastEvent > 0 && { 'last-event-id': String(lastEvent) }) }), signal })
    }
    if ('turnId' in this.beginning) throw new Error('a turn that is followed has an id')
    const { path, params, body } = this.beginning
    return send(urlOf(path, params), { method: 'POST', headers: headersOf('post', { 'content-type': 'application/json', 'idempotency-key': key }), body: JSON.stringify({ ...body, stream: true }), signal })
  }

  /** Waits, or until something wakes it. */
  private async pause(ms: number | null): Promise<void> {
    if (ms !== null) this.change({ connection: { state: 'waiting', seconds: ms / 1000 } })
    await new Promise<void>((resolve) => {
      const timer = ms === null ? undefined : setTimeout(resolve, ms)
      this.wake = () => {
        clearTimeout(timer)
        resolve()
      }
      addEventListener('online', this.wake, { once: true })
    })
    removeEventListener('online', this.wake)
  }

  private change(changes: Partial<Followed>): void {
    const isText = changes.connection === undefined && changes.answer?.state === 'running'
    this.followed = { ...this.followed, ...changes }
    const left = this.drawn + this.pace.interval - performance.now()
    if (!isText || left <= 0) this.draw()
    else this.timer ??= setTimeout(() => this.draw(), left)
  }

  private draw(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    this.drawn = performance.now()
    if (!this.aborter.signal.aborted) this.pace.draw(() => this.onChange(this.followed))
  }
}

/** Whether the same request can succeed later: the server isn't there, or is about to restart. What the provider refused
 * is an answer of the server, and final. */
export function isTemporary(error: ApiError): boolean {
  return error.code === 'unreachable' || error.status === 503 || error.code.startsWith('http_5')
}
