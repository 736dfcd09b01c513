import type { Field } from '@/form/field'
import { valueAt } from '@/form/field'

interface Schema {
  type?: string | string[]
  enum?: string[]
  minimum?: number
  maximum?: number
  properties?: Record<string, Schema>
  additionalProperties?: boolean | Schema
  items?: Schema
}

/** A field of a value, as its schema describes it. */
export interface ConfigField extends Field {
  /** Whether null is a value: mostly "no limit" or "for ever". */
  isNullable: boolean
  /** Whether it is an object with keys of the user's own, which is merged with the level below entry by entry. */
  isMap: boolean
  /** The field that contains it, if it is nested. */
  group?: string
}

/** The fields of a value by its JSON Schema, those of nested objects after each other; none where the schema names none. */
export function configFields(schema: unknown, group?: string): ConfigField[] {
  return Object.entries((schema as Schema | null)?.properties ?? {}).flatMap(([key, property]) => {
    const name = group ? `${group}.${key}` : key
    if (property.properties) return configFields(property, name)
    const types = [property.type ?? []].flat()
    const isNullable = types.includes('null')
    const type = types.find((each) => each !== 'null')
    const base: ConfigField = { name, label: key, group, isNullable, isMap: type === 'object', isRequired: !isNullable, min: property.minimum, max: property.maximum }
    if (property.enum) return [{ ...base, kind: 'choice', options: property.enum.map((value) => ({ value, label: value })) }]
    if (type === 'boolean') return [isNullable ? { ...base, kind: 'choice', options: ['true', 'false'].map((value) => ({ value, label: value })) } : { ...base, kind: 'boolean' }]
    if (type === 'integer' || type === 'number') return [{ ...base, kind: 'number', step: type === 'integer' ? 1 : undefined }]
    if (type === 'array' && property.items?.type === 'string') return [{ ...base, kind: 'texts', isRequired: false }]
    if (type === 'array' || type === 'object') return [{ ...base, kind: 'json', isRequired: false }]
    return [{ ...base, kind: 'text' }]
  })
}

/** What a control shows for a value, and the value for what it shows. */
export function shownValue(field: ConfigField, value: unknown): unknown {
  return typeof value === 'boolean' && field.kind === 'choice' ? String(value) : value
}

export function enteredValue(field: ConfigField, value: unknown, inherited: unknown): unknown {
  if (field.kind === 'choice' && (value === 'true' || value === 'false')) return value === 'true'
  if (field.kind === 'texts') return value ?? []
  if (field.isMap) return differing((value ?? {}) as object, inherited)
  return value === undefined || value === '' ? null : value
}

/** The entries of an object that differ from those of the level below: the others apply anyway. */
function differing(entries: object, inherited: unknown): object {
  const below = (inherited ?? {}) as Record<string, unknown>
  return Object.fromEntries(Object.entries(entries).filter(([key, value]) => JSON.stringify(below[key]) !== JSON.stringify(value)))
}

/** Whether a value sets the field at a path. */
export function hasPath(value: unknown, path: string): boolean {
  const keys = path.split('.')
  const last = keys.pop() as string
  const parent = keys.length > 0 ? valueAt(value, keys.join('.')) : value
  return typeof parent === 'object' && parent !== null && last in parent
}

/** A value with a field set. */
export function withPath(value: object, path: string, entered: unknown): Record<string, unknown> {
  const [key = '', ...rest] = path.split('.')
  const fields = value as Record<string, unknown>
  return { ...fields, [key]: rest.length > 0 ? withPath((fields[key] ?? {}) as object, rest.join('.'), entered) : entered }
}

/** A value without a field, and without objects that are empty then. */
export function withoutPath(value: object, path: string): Record<string, unknown> {
  const [key = '', ...rest] = path.split('.')
  const { [key]: inner, ...others } = value as Record<string, unknown>
  if (rest.length === 0 || typeof inner !== 'object' || inner === null) return others
  const left = withoutPath(inner, rest.join('.'))
  return Object.keys(left).length > 0 ? { ...others, [key]: left } : others
}

/** A value after what was changed in an older version of it, field by field. */
export function rebasedValue(fields: ConfigField[], before: object, draft: object, newest: object): Record<string, unknown> {
  const isSame = (name: string) => hasPath(before, name) === hasPath(draft, name) && JSON.stringify(valueAt(before, name)) === JSON.stringify(valueAt(draft, name))
  const changed = fields.filter(({ name }) => !isSame(name))
  return changed.reduce<Record<string, unknown>>(
    (value, { name }) => (hasPath(draft, name) ? withPath(value, name, valueAt(draft, name)) : withoutPath(value, name)),
    newest as Record<string, unknown>,
  )
}
