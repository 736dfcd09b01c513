import { expect, test } from 'vitest'
import type { Schema } from '@/api/types'
import { verifyChain } from './verify'

const part = (changes: Partial<Schema<'Verification'>>): Schema<'Verification'> => ({
  ok: true, complete: false, rows: 100, verified_to: 100, head: '', erased: 1, attested: 0, faults: [], more_faults: 0, ...changes,
})

test('a long chain is verified from where the last part ended, and one fault breaks it', async () => {
  const parts = [part({ ok: false, faults: [{ sequence: 7, what: 'row 7 is missing' }] }), part({ complete: true, rows: 20, verified_to: 120, head: '120:ab' })]
  const asked: (number | undefined)[] = []
  const progress: number[] = []
  const verdict = await verifyChain(async (from) => (asked.push(from), parts[asked.length - 1]!), (rows) => progress.push(rows))
  expect(asked).toEqual([undefined, 100])
  expect(progress).toEqual([100, 120])
  expect(verdict).toMatchObject({ ok: false, complete: true, rows: 120, verified_to: 120, head: '120:ab', erased: 2, faults: [{ sequence: 7 }] })
})

test('a chain that makes no progress ends', async () => {
  expect(await verifyChain(async () => part({ rows: 0 }), () => {})).toMatchObject({ complete: false, rows: 0 })
})
