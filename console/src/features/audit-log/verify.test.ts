import { expect, test } from 'vitest'
import type { Schema } from '@/api/types'
import { verifyChain } from './verify'

const part = (changes: Partial<Schema<'Verification'>>): Schema<'Verification'> => ({
  ok: true, complete: false, rows: 100, verified_to: 100, head: '', erased: 1, attested: 0, faults: [], more_faults: 0, ...changes,
})
const PARTS = [part({ ok: false, faults: [{ sequence: 7, what: 'row 7 is missing' }] }), part({ complete: true, rows: 20, verified_to: 120, head: '120:ab' })]

async function verified(head?: string) {
  const asked: unknown[] = []
  const progress: number[] = []
  const verdict = await verifyChain(async ({ from_sequence, expect_head }) => (asked.push([from_sequence, expect_head]), PARTS[asked.length - 1]!), head, (rows) => progress.push(rows))
  return { asked, progress, verdict }
}

test('a long chain is verified from where the last part ended, and one fault breaks it', async () => {
  const { asked, progress, verdict } = await verified()
  expect(asked).toEqual([[undefined, undefined], [100, undefined]])
  expect(progress).toEqual([100, 120])
  expect(verdict).toMatchObject({ ok: false, complete: true, rows: 120, verified_to: 120, head: '120:ab', erased: 2, faults: [{ sequence: 7 }] })
})

test('a head is looked for up to its number', async () => {
  expect((await verified('50:cd')).asked).toEqual([[undefined, '50:cd'], [100, undefined]])
  expect((await verified('110:cd')).asked).toEqual([[undefined, '110:cd'], [100, '110:cd']])
})

test('a chain that makes no progress ends', async () => {
  expect(await verifyChain(async () => part({ rows: 0 }), undefined, () => {})).toMatchObject({ complete: false, rows: 0 })
})
