import { describe, expect, it } from 'vitest'
import { attachmentOf, contentOf, isTooLarge } from './attachments'

const file = { name: 'a.pdf', size: 3, part: { type: 'file' as const, file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,AAAA' } } }

describe('the content of a message', () => {
  it('is a string without attachments, else parts with the text first', () => {
    expect(contentOf('hi', [])).toBe('hi')
    expect(contentOf('hi', [file])).toEqual([{ type: 'text', text: 'hi' }, file.part])
    expect(contentOf('', [file])).toEqual([file.part])
  })
  it('is measured in bytes, as the server does', () => {
    expect(isTooLarge('a'.repeat(1024 * 1024))).toBe(false)
    expect(isTooLarge('土'.repeat(400_000))).toBe(true)
    expect(isTooLarge(Array.from({ length: 65 }, () => file.part))).toBe(true)
  })
  it('has text files as text, whose fences end where the file does', async () => {
    const { part } = await attachmentOf(new File(['a\n```\nb\n```\n'], 'x.md', { type: 'text/markdown' }))
    expect(part).toEqual({ type: 'text', text: 'x.md:\n````md\na\n```\nb\n```\n````' })
  })
})
