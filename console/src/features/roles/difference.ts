/** How many permissions are in one of two lists only. */
export function difference(before: readonly string[], after: readonly string[]): number {
  const added = after.filter((permission) => !before.includes(permission))
  const removed = before.filter((permission) => !after.includes(permission))
  return added.length + removed.length
}
