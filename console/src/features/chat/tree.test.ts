import { describe, expect, it } from 'vitest'
import { type Message, MessageTree, textOf } from './tree'

const message = (sequence_number: number, parent: number | null): Message =>
  ({ id: `m${sequence_number}`, parent_id: parent === null ? null : `m${parent}`, sequence_number, role: 'user', content: '' }) as Message

// 1 ─ 2 ─ 3 ─ 4
//   └ 5 ─ 6
// 7
const tree = new MessageTree([message(6, 5), message(5, 1), message(1, null), message(2, 1), message(4, 3), message(3, 2), message(7, null)])
const ids = (messages: Message[]) => messages.map(({ id }) => id)

describe('the tree of messages', () => {
  it('has a path to every message', () => {
    expect(ids(tree.pathTo('m4'))).toEqual(['m1', 'm2', 'm3', 'm4'])
    expect(ids(tree.pathTo('m6'))).toEqual(['m1', 'm5', 'm6'])
    expect(tree.pathTo(null)).toEqual([])
    expect(tree.pathTo('nosuch')).toEqual([])
  })
  it('knows siblings in their order, of questions without a parent too', () => {
    expect(ids(tree.siblings(message(5, 1)))).toEqual(['m2', 'm5'])
    expect(ids(tree.siblings(message(7, null)))).toEqual(['m1', 'm7'])
  })
  it('continues a branch at its newest end', () => {
    expect(tree.leafOf('m2')).toBe('m4')
    expect(tree.leafOf('m1')).toBe('m6')
    expect(tree.leafOf('m7')).toBe('m7')
  })
  it('begins a path where earlier messages are not loaded yet', () => {
    expect(ids(new MessageTree([message(3, 2), message(4, 3)]).pathTo('m4'))).toEqual(['m3', 'm4'])
  })
})

describe('the text of a message', () => {
  it('leaves out what is not text', () => {
    const content = [{ type: 'text', text: 'a' }, { type: 'image_url', image_url: { url: 'data:,' } }, { type: 'text', text: 'b' }] as Message['content']
    expect(textOf(content)).toBe('a\n\nb')
    expect(textOf('c')).toBe('c')
  })
})
