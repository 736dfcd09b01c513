import type { BodyOf, Method, PathOf, PathParameters, QueryOf, ResultOf } from './types'

/** An error of the API, or of the way to it (`code` is then `unreachable`). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly param: string | null,
    readonly requestId: string | null,
    /** Seconds until a retry makes sense. */
    readonly retryAfter: number | null = null,
  ) {
    super(message)
  }
}

/** What every request sends besides its own parts. */
interface Credentials {
  csrfToken: string | null
  /** Slug of the tenant in which an operator acts, if it isn't the operator's own. */
  tenant: string | null
}

const credentials: Credentials = { csrfToken: null, tenant: null }
let onLoggedOut: () => void = () => {}

export function setCredentials(changed: Partial<Credentials>): void {
  Object.assign(credentials, changed)
}

/** Names the function to call when a request finds that the session has ended. */
export function whenLoggedOut(callback: () => void): void {
  onLoggedOut = callback
}

/** The tenant that requests name now. */
export function namedTenant(): string | null {
  return credentials.tenant
}

type Parameter = string | number | boolean | null | undefined

/** The URL of an operation. */
export function urlOf(path: string, params: PathParameters = {}, query: Record<string, Parameter> = {}): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? ''))
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== '') search.set(name, String(value))
  }
  const text = search.toString()
  return text ? `${filled}?${text}` : filled
}

/** What belongs to the instance: operators lose it where they act in another tenant. */
const OF_INSTANCE = /^\/api\/v1\/(tenants|signing_keys|database)\b/

/** The headers of a request. */
export function headersOf(method: Method, extra: Record<string, string> = {}, path = ''): Headers {
  const headers = new Headers(extra)
  if (method !== 'get' && credentials.csrfToken) headers.set('x-loam-csrf', credentials.csrfToken)
  if (credentials.tenant && !OF_INSTANCE.test(path)) headers.set('x-loam-tenant', credentials.tenant)
  return headers
}

/** Sends a request, and throws `ApiError` unless it succeeds. */
export async function send(url: string, init: RequestInit): Promise<Response> {
  let response: Response
  try {
    response = await fetch(url, { credentials: 'same-origin', ...init })
  } catch (cause) {
    if (init.signal?.aborted) throw cause
    throw new ApiError(0, 'unreachable', String(cause), null, null)
  }
  if (response.ok) return response
  const error = await errorOf(response)
  if (response.status === 401 && url !== '/api/v1/login') onLoggedOut()
  // The cookie is another session's: what is on the page belongs to the one before.
  if (error.code === 'csrf_token_wrong') location.reload()
  throw error
}

async function errorOf(response: Response): Promise<ApiError> {
  const seconds = Number(response.headers.get('retry-after'))
  const retryAfter = Number.isFinite(seconds) && seconds > 0 ? seconds : null
  const requestId = response.headers.get('x-request-id')
  try {
    const { error } = (await response.json()) as { error: { code: string; message: string; param?: string; request_id?: string } }
    return new ApiError(response.status, error.code, error.message, error.param ?? null, error.request_id ?? requestId, retryAfter)
  } catch {
    return new ApiError(response.status, `http_${response.status}`, response.statusText, null, requestId, retryAfter)
  }
}

export interface RequestParts<P extends PathOf<M>, M extends Method> {
  params?: PathParameters
  query?: QueryOf<P, M>
  body?: BodyOf<P, M>
  /** The entity tag of the version that a change is based on. */
  ifMatch?: string
  /** Makes a repeated request take effect once. */
  idempotencyKey?: string
  signal?: AbortSignal
  /** It is sent to its end though the page is left. */
  outlivesPage?: boolean
}

/** Calls an operation of the API. */
export async function request<M extends Method, P extends PathOf<M>>(
  method: M,
  path: P,
  parts: RequestParts<P, M> = {},
): Promise<ResultOf<P, M>> {
  const headers = headersOf(method, {}, path)
  if (parts.body !== undefined) headers.set('content-type', 'application/json')
  if (parts.ifMatch) headers.set('if-match', parts.ifMatch)
  if (parts.idempotencyKey) headers.set('idempotency-key', parts.idempotencyKey)
  const url = urlOf(path, parts.params, parts.query as Record<string, Parameter>)
  const response = await send(url, {
    method: method.toUpperCase(),
    headers,
    body: parts.body === undefined ? undefined : JSON.stringify(parts.body),
    signal: parts.signal,
    keepalive: parts.outlivesPage,
  })
  const text = response.status === 204 ? '' : await response.text()
  return (text ? JSON.parse(text) : undefined) as ResultOf<P, M>
}
