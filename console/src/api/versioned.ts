import { useQuery, type UseQueryResult } from '@tanstack/react-query'
import { type ApiError, headersOf, send, urlOf } from './request'
import type { PathOf, PathParameters, QueryOf, ResultOf } from './types'

/** A resource with the entity tag that a change sends as `If-Match`. */
export interface Versioned<T> {
  value: T
  version: string | undefined
}

/** Reads a resource with its version, so that a change can't undo one that was made meanwhile. */
export function useVersioned<P extends PathOf<'get'>>(
  path: P,
  parts: { params?: PathParameters; query?: QueryOf<P, 'get'> } = {},
): UseQueryResult<Versioned<ResultOf<P, 'get'>>, ApiError> {
  const url = urlOf(path, parts.params, parts.query as Record<string, string> | undefined)
  return useQuery({
    queryKey: [path, parts.params ?? {}, parts.query ?? {}, 'version'],
    queryFn: async ({ signal }) => {
      const response = await send(url, { headers: headersOf('get'), signal })
      return { value: (await response.json()) as ResultOf<P, 'get'>, version: response.headers.get('etag') ?? undefined }
    },
  }) as UseQueryResult<Versioned<ResultOf<P, 'get'>>, ApiError>
}
