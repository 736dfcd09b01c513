import { NONE, useFormat } from '@/i18n/format'

/** A time as its distance from now, with date and time as its tooltip. */
export function Time({ at }: { at: string | null | undefined }) {
  const f = useFormat()
  if (!at) return NONE
  return (
    <time dateTime={at} title={f.dateTime(at)}>
      {f.relative(at)}
    </time>
  )
}

/** A time to the second. */
export function DateTime({ at }: { at: string | null | undefined }) {
  const f = useFormat()
  return at ? <time dateTime={at}>{f.dateTime(at)}</time> : NONE
}
