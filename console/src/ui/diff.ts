/** A field that differs between two values. */
export interface FieldChange {
  /** Where it is: `sampling.reads`, `targets[0].weight`; empty for the value itself. */
  path: string
  kind: 'added' | 'removed' | 'changed'
  before: unknown
  after: unknown
}

/** The fields that differ between two JSON values. Objects are compared field by field, lists item by item. */
export function fieldChanges(before: unknown, after: unknown, path = ''): FieldChange[] {
  if (Array.isArray(before) && Array.isArray(after)) {
    return Array.from({ length: Math.max(before.length, after.length) }, (_, index) => index).flatMap((index) =>
      entryChanges(before, after, index, `${path}[${index}]`),
    )
  }
  if (isObject(before) && isObject(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])]
    return keys.flatMap((key) => entryChanges(before, after, key, path ? `${path}.${key}` : key))
  }
  return before === after ? [] : [{ path, kind: 'changed', before, after }]
}

function entryChanges(before: object, after: object, key: string | number, path: string): FieldChange[] {
  const [hasBefore, hasAfter] = [key in before, key in after]
  const [left, right] = [(before as Record<string, unknown>)[key], (after as Record<string, unknown>)[key]]
  if (hasBefore && hasAfter) return fieldChanges(left, right, path)
  return leaves(hasAfter ? right : left, path).map(([at, value]) =>
    hasAfter ? { path: at, kind: 'added', before: undefined, after: value } : { path: at, kind: 'removed', before: value, after: undefined },
  )
}

/** The fields of a value that have no fields themselves. */
function leaves(value: unknown, path: string): [path: string, value: unknown][] {
  const fields = isObject(value) ? Object.entries(value) : []
  return fields.length > 0 ? fields.flatMap(([key, each]) => leaves(each, `${path}.${key}`)) : [[path, value]]
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
