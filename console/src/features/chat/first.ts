import type { Schema } from '@/api/types'

/** First questions of sessions that were just created, until their pages ask them. */
const questions = new Map<string, Schema<'MessageContent'>>()

export function leaveQuestion(sessionId: string, content: Schema<'MessageContent'>): void {
  questions.set(sessionId, content)
}

export function takeQuestion(sessionId: string): Schema<'MessageContent'> | undefined {
  const content = questions.get(sessionId)
  questions.delete(sessionId)
  return content
}
