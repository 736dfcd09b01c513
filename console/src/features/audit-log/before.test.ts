import { expect, test } from 'vitest'
import type { Schema } from '@/api/types'
import { beforeAndAfter } from './before'

const change = (changes: unknown) => ({ changes }) as Schema<'AuditLogView'>

test('values before are those of the newest earlier entry that has the field', () => {
  const earlier = [change({ name: 'second' }), change({ name: 'first', plan: 'free' })]
  expect(beforeAndAfter(change({ name: 'third', plan: 'paid', owner: 'a' }), earlier)).toEqual({
    isRecorded: false,
    before: { name: 'second', plan: 'free' },
    after: { name: 'third', plan: 'paid', owner: 'a' },
  })
})

test('an entry that holds both is taken at its word', () => {
  expect(beforeAndAfter(change({ level: 'global', before: null, after: { days: 30 } }), [change({ after: { days: 1 } })])).toEqual({ before: null, after: { days: 30 }, isRecorded: true })
  expect(beforeAndAfter(change({ kind: 'erasures.run', before: 'failed', after: 'queued' }), [])).toEqual({ before: 'failed', after: 'queued', isRecorded: true })
})

test('an erased entry has nothing', () => {
  expect(beforeAndAfter(change({}), [change(null)])).toEqual({ before: {}, after: {}, isRecorded: false })
})
