import type { ReactNode } from 'react'

/** A field of a form. Its name is a path into the body: `config.base_url`. */
export interface Field {
  name: string
  label: string
  /** What to write, in a sentence. */
  help?: ReactNode
  kind?: 'text' | 'multiline' | 'number' | 'boolean' | 'choice' | 'choices' | 'secret' | 'secrets' | 'texts' | 'json' | 'time' | 'email' | 'password'
  /** The values of `choice` and `choices`. */
  options?: { value: string; label: string }[]
  isRequired?: boolean
  placeholder?: string
  /** Its value in a new form. */
  initial?: unknown
  min?: number
  max?: number
  step?: number
}

/** The values of a form by the names of its fields. */
export type Values = Record<string, unknown>

/** The value at a path of an object. */
export function valueAt(object: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown> | null | undefined)?.[key], object)
}

const isSame = (a: unknown, b: unknown) => JSON.stringify(a ?? null) === JSON.stringify(b ?? null)

/** The body that a form sends: the values that differ from what is there (all that are filled, where nothing is). A
 * value that was removed is null, as a merge patch (RFC 7396) says. */
export function bodyOf(fields: Field[], values: Values, existing?: object): Record<string, unknown> {
  const body: Record<string, unknown> = {}
  for (const { name, kind } of fields) {
    const value = values[name]
    const isEmpty = value === undefined || value === null || value === ''
    // A sealed secret is kept unless a new one is written.
    if (isEmpty && (!existing || kind === 'secret')) continue
    if (existing && isSame(value, valueAt(existing, name))) continue
    const keys = name.split('.')
    const last = keys.pop() as string
    let target = body
    for (const key of keys) target = (target[key] ??= {}) as Record<string, unknown>
    target[last] = isEmpty ? null : value
  }
  return body
}

/** The values that a form begins with. */
export function initialValues(fields: Field[], existing?: object): Values {
  return Object.fromEntries(
    fields.map((field) => {
      const value = existing ? valueAt(existing, field.name) : field.initial
      return [field.name, field.kind === 'secret' ? '' : value]
    }),
  )
}

/** The fields that somebody else has changed between two versions. */
export function changedFields(fields: Field[], before: object, after: object): Field[] {
  return fields.filter(({ name }) => !isSame(valueAt(before, name), valueAt(after, name)))
}

/** The values of a form carried over to a newer version: what was entered stays, the rest is what is there now. */
export function carriedOver(fields: Field[], values: Values, before: object, after: object): Values {
  const [first, now] = [initialValues(fields, before), initialValues(fields, after)]
  return Object.fromEntries(fields.map(({ name }) => [name, isSame(values[name], first[name]) ? now[name] : values[name]]))
}

interface JsonSchema {
  type?: string | string[]
  enum?: string[]
  title?: string
  description?: string
  writeOnly?: boolean
  default?: unknown
  minimum?: number
  maximum?: number
  format?: string
  items?: JsonSchema
  properties?: Record<string, JsonSchema>
  required?: string[]
}

/** The fields of an object that a JSON Schema describes. */
export function fieldsOfSchema(schema: object, prefix = ''): Field[] {
  const { properties = {}, required = [] } = schema as JsonSchema
  return Object.entries(properties).map(([key, property]) => {
    const type = Array.isArray(property.type) ? property.type.find((each) => each !== 'null') : property.type
    const field: Field = {
      name: prefix ? `${prefix}.${key}` : key,
      label: property.title ?? key,
      help: property.description,
      isRequired: required.includes(key),
      initial: property.default,
      min: property.minimum,
      max: property.maximum,
    }
    if (property.writeOnly) return { ...field, kind: 'secret' }
    if (property.enum) return { ...field, kind: 'choice', options: property.enum.map((value) => ({ value, label: value })) }
    if (type === 'boolean') return { ...field, kind: 'boolean' }
    if (type === 'integer' || type === 'number') return { ...field, kind: 'number', step: type === 'integer' ? 1 : undefined }
    if (type === 'array' && property.items?.writeOnly) return { ...field, kind: 'secrets' }
    if (type === 'array' && property.items?.type === 'string') return { ...field, kind: 'texts' }
    if (type === 'array' || type === 'object') return { ...field, kind: 'json' }
    return { ...field, kind: 'text' }
  })
}
