import type { Schema } from '@/api/types'

type Verification = Schema<'Verification'>

/** The verdict of a whole chain, of which the server verifies a part at a time. */
export async function verifyChain(
  verifyPart: (from: number | undefined) => Promise<Verification>,
  onProgress: (rows: number) => void,
): Promise<Verification> {
  let whole: Verification | null = null
  for (;;) {
    const part = await verifyPart(whole?.verified_to)
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
