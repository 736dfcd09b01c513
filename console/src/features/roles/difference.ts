/** How many permissions are in one of two lists only. */
export function difference(before: readonly string[], after: readonly string[]): number {
  const added = after.filter((permission) => !before.includes(permission))
  const removed = before.filter((permission) => !after.includes(permission))
  return added.length + removed.length
}

/** A list after what was added to and removed from an older version of it. */
export function rebased(before: readonly string[], after: readonly string[], newest: readonly string[]): string[] {
  const added = after.filter((permission) => !before.includes(permission) && !newest.includes(permission))
  return [...newest.filter((permission) => after.includes(permission) || !before.includes(permission)), ...added]
}
