import { expect, test } from 'vitest'
import { modelForChat } from './models'

test('a chat begins with a model that can chat', () => {
  expect(modelForChat(['openai/text-embedding-3-small', 'openai/dall-e-3', 'openai/gpt-4o', 'openai/gpt-5'])).toBe('openai/gpt-4o')
})

test('the name of the provider says nothing of its models', () => {
  expect(modelForChat(['audio-lab/chat-1'])).toBe('audio-lab/chat-1')
})

test('where no model seems to chat, the first is suggested', () => {
  expect(modelForChat(['openai/whisper-1', 'openai/tts-1'])).toBe('openai/whisper-1')
  expect(modelForChat([])).toBeUndefined()
})
