import { describe, expect, it } from 'vitest'
import { applyEvent, type Answer, NO_ANSWER } from './turn'

const call = { id: 'c1', type: 'function', function: { name: 'weather', arguments: '{}' } }
const told: [string, unknown][] = [
  ['started', { turn_id: 't', session_id: 's', user_message_id: 'q', model: 'chat' }],
  ['reasoning', { text: 'hm ' }],
  ['delta', { text: 'Let me ' }],
  ['delta', { text: 'ask.' }],
  ['tool_calls', { tool_calls: [call] }],
  ['message', { role: 'assistant', message_id: 'a1', sequence_number: 2, finish_reason: 'tool_calls', usage: null }],
  ['requires_action', { tool_calls: [call] }],
  ['tool_result', { tool_call_id: 'c1', content: 'sun', is_error: false }],
  ['message', { role: 'tool', message_id: 'r1', sequence_number: 3, finish_reason: null, usage: null }],
  ['delta', { text: 'Sun.' }],
  ['message', { role: 'assistant', message_id: 'a2', sequence_number: 4, finish_reason: 'stop', usage: null }],
  ['ended', { state: 'completed', finish_reason: 'stop', error: null, usage: {} }],
]
const events = told.map(([event, data], index) => ({ id: String(index + 1), event, data: JSON.stringify(data) }))
const after = (count: number, from: Answer = NO_ANSWER) => events.slice(0, count).reduce(applyEvent, from)

describe('the events of a turn', () => {
  it('make messages with reasoning, tool calls and results', () => {
    const answer = after(events.length)
    expect(answer).toMatchObject({ state: 'ended', turnId: 't', questionId: 'q', lastEvent: 12 })
    expect(answer.parts).toEqual([
      { text: 'Let me ask.', reasoning: 'hm ', toolCalls: [call], results: { c1: { content: 'sun', isError: false } }, messageId: 'a1' },
      { text: 'Sun.', reasoning: '', toolCalls: [], results: {}, messageId: 'a2' },
    ])
  })
  it('wait for the results of tools', () => {
    expect(after(7)).toMatchObject({ state: 'requires_action', waiting: [call] })
    expect(after(8)).toMatchObject({ state: 'running', waiting: [] })
  })
  it('change nothing when they come again', () => {
    expect(after(events.length, after(9))).toEqual(after(events.length))
  })
})
