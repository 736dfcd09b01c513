import type { Schema } from '@/api/types'

export type Message = Schema<'MessageView'>

/** The messages of a conversation, each below the one that it follows. */
export class MessageTree {
  private readonly byId = new Map<string, Message>()
  private readonly children = new Map<string | null, Message[]>()

  constructor(messages: Message[]) {
    for (const message of messages) this.byId.set(message.id, message)
    for (const message of [...this.byId.values()].sort((a, b) => a.sequence_number - b.sequence_number)) {
      const siblings = this.children.get(message.parent_id)
      if (siblings) siblings.push(message)
      else this.children.set(message.parent_id, [message])
    }
  }

  get(id: string): Message | undefined {
    return this.byId.get(id)
  }

  /** The messages from the earliest that is known down to one. */
  pathTo(id: string | null): Message[] {
    const path: Message[] = []
    let message = id === null ? undefined : this.byId.get(id)
    while (message) {
      path.push(message)
      message = message.parent_id === null ? undefined : this.byId.get(message.parent_id)
    }
    return path.reverse()
  }

  /** The messages that follow the same one, in their order. */
  siblings(message: Message): Message[] {
    return this.children.get(message.parent_id) ?? [message]
  }

  /** The end of the newest branch below a message. */
  leafOf(id: string): string {
    let leaf = id
    for (let next = this.newestBelow(id); next; next = this.newestBelow(leaf)) leaf = next
    return leaf
  }

  private newestBelow(id: string): string | undefined {
    return this.children.get(id)?.at(-1)?.id
  }
}

/** The text of a message's content. */
export function textOf(content: Message['content']): string {
  if (typeof content === 'string') return content
  return content.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n\n')
}
