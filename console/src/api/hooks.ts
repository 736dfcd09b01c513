import {
  keepPreviousData,
  type QueryKey,
  useMutation,
  type UseMutationResult,
  useQuery,
  useQueryClient,
  type UseQueryResult,
} from '@tanstack/react-query'
import { type ApiError, request, type RequestParts } from './request'
import type { BodyOf, Method, PathOf, PathParameters, QueryOf, ResultOf } from './types'

interface ReadOptions<T> {
  /** False while it can't be read yet. */
  enabled?: boolean
  /** Reads again after as many milliseconds, which may depend on what was read. */
  refresh?: number | false | ((data: T | undefined) => number | false)
}

/** Reads an operation `get`, and keeps its result while newer parameters load. */
export function useRead<P extends PathOf<'get'>>(
  path: P,
  parts: { params?: PathParameters; query?: QueryOf<P, 'get'> } = {},
  options: ReadOptions<ResultOf<P, 'get'>> = {},
): UseQueryResult<ResultOf<P, 'get'>, ApiError> {
  const { enabled = true, refresh = false } = options
  return useQuery({
    queryKey: [path, parts.params ?? {}, parts.query ?? {}] as QueryKey,
    queryFn: ({ signal }) => request('get', path, { ...parts, signal } as RequestParts<P, 'get'>),
    placeholderData: keepPreviousData,
    enabled,
    refetchInterval: typeof refresh === 'function' ? (query) => refresh(query.state.data as ResultOf<P, 'get'> | undefined) : refresh,
  }) as UseQueryResult<ResultOf<P, 'get'>, ApiError>
}

interface Sent<P extends PathOf<M>, M extends Method> {
  params?: PathParameters
  query?: QueryOf<P, M>
  body?: BodyOf<P, M>
  ifMatch?: string
}

/** A change by an operation. What was read from paths that begin with `invalidates` is read again afterwards. */
export function useChange<M extends Exclude<Method, 'get'>, P extends PathOf<M>>(
  method: M,
  path: P,
  invalidates: string[],
): UseMutationResult<ResultOf<P, M>, ApiError, Sent<P, M>> {
  const client = useQueryClient()
  const isConcerned = (queryKey: QueryKey) => invalidates.some((prefix) => String(queryKey[0]).startsWith(prefix))
  return useMutation({
    mutationFn: (sent: Sent<P, M>) => request(method, path, sent as RequestParts<P, M>),
    onError: async (error) => {
      // Somebody else changed it: what is on the page is old, and is read again before the form tells so.
      if (error.status === 412) await client.invalidateQueries({ predicate: ({ queryKey }) => isConcerned(queryKey) })
    },
    onSuccess: async (_, sent) => {
      // What was deleted isn't read again while it is still on the page.
      const isGone = (queryKey: QueryKey) => method === 'delete' && sent.params?.id !== undefined && (queryKey[1] as PathParameters | undefined)?.id === sent.params.id
      await Promise.all([
        client.invalidateQueries({ predicate: ({ queryKey }) => isConcerned(queryKey) && !isGone(queryKey) }),
        client.invalidateQueries({ predicate: ({ queryKey }) => isConcerned(queryKey) && isGone(queryKey), refetchType: 'none' }),
      ])
    },
  })
}
