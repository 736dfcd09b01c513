/** The entity tag of a row, which a change sends as `If-Match`: the time of its last change, in microseconds. */
export function versionOf({ updated_at }: { updated_at: string }): string {
  const fraction = /\.(\d+)/.exec(updated_at)?.[1] ?? ''
  const seconds = Math.floor(Date.parse(updated_at) / 1000)
  const microseconds = Number(fraction.padEnd(6, '0').slice(0, 6))
  return `"${(seconds * 1_000_000 + microseconds).toString(16)}"`
}
