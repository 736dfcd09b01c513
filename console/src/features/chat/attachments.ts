import type { Schema } from '@/api/types'

export interface Attachment {
  name: string
  size: number
  part: Schema<'ContentPart'>
}

/** What the server takes as the content of a message (docs/API.md, Conversations). */
const MAX_PARTS = 64
const MAX_BYTES = 8 * 1024 * 1024
const MAX_TEXT = 1024 * 1024

const AUDIO: Record<string, 'wav' | 'mp3'> = { 'audio/wav': 'wav', 'audio/x-wav': 'wav', 'audio/mpeg': 'mp3', 'audio/mp3': 'mp3' }
const TEXT = /^text\/|^application\/(json|xml|yaml|toml|sql|javascript|typescript|x-sh)$/
const TEXT_NAMES = /\.(md|txt|csv|json|jsonl|ya?ml|toml|ini|log|sql|py|rs|go|ts|tsx|js|jsx|java|c|h|cpp|rb|php|sh|html|css|xml)$/i

/** A file as a part of a message: images and audio as such, texts as text, anything else as a file. */
export async function attachmentOf(file: File): Promise<Attachment> {
  const { name, size, type } = file
  if (/^image\/(png|jpeg|gif|webp)$/.test(type)) return { name, size, part: { type: 'image_url', image_url: { url: await dataUrl(file) } } }
  const audio = AUDIO[type]
  if (audio) return { name, size, part: { type: 'input_audio', input_audio: { data: (await dataUrl(file)).replace(/^.*?,/, ''), format: audio } } }
  if (TEXT.test(type) || TEXT_NAMES.test(name)) return { name, size, part: { type: 'text', text: fenced(name, await file.text()) } }
  return { name, size, part: { type: 'file', file: { filename: name, file_data: await dataUrl(file) } } }
}

/** A text file as Markdown, between fences that don't occur in it. */
function fenced(name: string, text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`{3,}/g)].map(([fence]) => fence.length))
  const fence = '`'.repeat(longest + 1)
  return `${name}:\n${fence}${name.split('.').at(-1) ?? ''}\n${text.replace(/\n$/, '')}\n${fence}`
}

function dataUrl(file: File): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader()
    reader.onload = () => resolve(String(reader.result))
    reader.onerror = () => reject(reader.error)
    reader.readAsDataURL(file)
  })
}

/** The content of a message: a text alone as a string. */
export function contentOf(text: string, attachments: Attachment[]): Schema<'MessageContent'> {
  if (attachments.length === 0) return text
  const parts = attachments.map(({ part }) => part)
  return text ? [{ type: 'text', text }, ...parts] : parts
}

/** Whether the server would refuse the content because of its size. */
export function isTooLarge(content: Schema<'MessageContent'>): boolean {
  const bytes = new TextEncoder().encode(typeof content === 'string' ? content : JSON.stringify(content)).length
  return typeof content === 'string' ? bytes > MAX_TEXT : content.length > MAX_PARTS || bytes > MAX_BYTES
}
