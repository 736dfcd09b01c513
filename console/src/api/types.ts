import type { components, paths } from './generated/schema'

/** A schema of the API document by name. */
export type Schema<Name extends keyof components['schemas']> = components['schemas'][Name]

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete'

/** The paths that have an operation of a method. */
export type PathOf<M extends Method> = {
  [P in keyof paths]: paths[P] extends { [K in M]: object } ? P : never
}[keyof paths]

type Operation<P extends keyof paths, M extends Method> = paths[P] extends { [K in M]: infer O } ? O : never
type Success = 200 | 201 | 202

/** The query parameters of an operation. */
export type QueryOf<P extends keyof paths, M extends Method> =
  Operation<P, M> extends { parameters: { query?: infer Q } } ? NonNullable<Q> : never

/** The JSON body that an operation takes. */
export type BodyOf<P extends keyof paths, M extends Method> =
  Operation<P, M> extends { requestBody: { content: { 'application/json': infer B } } }
    ? B
    : Operation<P, M> extends { requestBody?: { content: { 'application/json': infer B } } }
      ? B | undefined
      : undefined

/** The JSON body of an operation's success. */
export type ResultOf<P extends keyof paths, M extends Method> =
  Operation<P, M> extends { responses: infer R }
    ? { [S in keyof R & Success]: R[S] extends { content: { 'application/json': infer B } } ? B : undefined }[keyof R &
        Success]
    : never

/** The path parameters of an operation. */
export type PathParameters = Record<string, string>

/** A page of a list. */
export interface Page<Row> {
  data: Row[]
  next_cursor?: string | null
  prev_cursor?: string | null
}

/** The paths whose operation `get` returns pages. */
export type ListPath = {
  [P in PathOf<'get'>]: ResultOf<P, 'get'> extends { data: unknown[]; next_cursor?: string | null | undefined } ? P : never
}[PathOf<'get'>]

/** A row of a list. */
export type RowOf<P extends ListPath> = ResultOf<P, 'get'> extends { data: (infer Row)[] } ? Row : never
