import { describe, expect, it } from 'vitest'
import { replayOf } from './replay'

const call = { route: null, provider: 'openai', model: 'gpt-4o' }

describe('what a call asked', () => {
  it('is a system prompt, earlier messages and a question', () => {
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'a' },
      { role: 'assistant', content: null, tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } }] },
      { role: 'tool', tool_call_id: 'c', content: 'r' },
      { role: 'user', content: [{ type: 'text', text: 'b' }, { type: 'image_url', image_url: { url: 'data:,' } }] },
    ]
    expect(replayOf({ ...call, request_data: { messages } })).toEqual({
      model: 'openai/gpt-4o',
      systemPrompt: 'Be brief.',
      earlier: [
        { role: 'user', content: 'a' },
        { role: 'assistant', content: '', tool_calls: messages[2]?.tool_calls },
        { role: 'tool', content: 'r', tool_call_id: 'c' },
      ],
      question: 'b',
    })
  })
  it('goes to the route that was called, also in the format of Anthropic', () => {
    const request_data = { system: [{ type: 'text', text: 's' }], messages: [{ role: 'user', content: 'q' }] }
    expect(replayOf({ ...call, route: 'chat', request_data })).toEqual({ model: 'chat', systemPrompt: 's', earlier: [], question: 'q' })
  })
  it('is nothing without messages or a question', () => {
    expect(replayOf({ ...call, request_data: { input: 'x' } })).toBeNull()
    expect(replayOf({ ...call, request_data: { messages: [{ role: 'assistant', content: 'x' }] } })).toBeNull()
    expect(replayOf({ ...call, request_data: null })).toBeNull()
  })
})
