import type { Schema } from '@/api/types'
import { columnsOf } from './calls'

/** Reads all calls of a record, outside of the page's thread: those of 50,000 calls are 30 MB of JSON. */
self.onmessage = async ({ data }: MessageEvent<{ url: string; headers: [string, string][] }>) => {
  try {
    const response = await fetch(data.url, { credentials: 'same-origin', headers: data.headers })
    if (!response.ok) throw new Error(`${response.status} ${response.statusText}`)
    const { function_calls } = (await response.json()) as { function_calls: Schema<'FunctionCallView'>[] }
    const calls = columnsOf(function_calls)
    const columns = Object.values(calls).filter((column) => ArrayBuffer.isView(column))
    self.postMessage({ calls }, { transfer: columns.map((column) => column.buffer) })
  } catch (error) {
    self.postMessage({ error: String(error) })
  }
}
