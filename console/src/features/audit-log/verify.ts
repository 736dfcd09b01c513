import type { Schema } from '@/api/types'

type Verification = Schema<'Verification'>
type Part = { from_sequence: number | undefined; expect_head: string | undefined }

/** The verdict of a whole chain, of which the server verifies a part at a time. A head that was noted earlier is looked
 * for in the parts up to its number: a later part doesn't hold it. */
export async function verifyChain(verifyPart: (part: Part) => Promise<Verification>, head: string | undefined, onProgress: (rows: number) => void): Promise<Verification> {
  const sequence = head?.includes(':') ? Number.parseInt(head, 10) : Number.POSITIVE_INFINITY
  let whole: Verification | null = null
  for (;;) {
    const verified: number = whole?.verified_to ?? 0
    const part = await verifyPart({ from_sequence: whole?.verified_to, expect_head: verified < sequence || !whole ? head : undefined })
    whole = whole ? joined(whole, part) : part
    onProgress(whole.rows)
    if (whole.complete || part.rows === 0) return whole
  }
}

function joined(first: Verification, next: Verification): Verification {
  return {
    ...next,
    ok: first.ok && next.ok,
    rows: first.rows + next.rows,
    erased: first.erased + next.erased,
    attested: first.attested + next.attested,
    faults: [...first.faults, ...next.faults],
    more_faults: first.more_faults + next.more_faults,
  }
}
