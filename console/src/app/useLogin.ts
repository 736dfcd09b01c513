import type { QueryClient } from '@tanstack/react-query'
import { useCallback, useEffect, useMemo, useState } from 'react'
import { type ApiError, request, setCredentials, whenLoggedOut } from '@/api/request'
import type { Session, SessionContext } from '@/api/session'
import type { Schema } from '@/api/types'

const PROJECT = 'loam.project'
const TENANT = 'loam.tenant'

type Login = {
  logIn: (body: Schema<'LogIn'>) => Promise<void>
  refresh: () => Promise<void>
} & (
  | { state: 'loading' }
  | { state: 'loggedOut'; error: ApiError | null }
  | { state: 'passwordChange' }
  | { state: 'loggedIn'; context: SessionContext }
)

/** The login session of this browser: reads it, begins and ends it. */
export function useLogin(client: QueryClient): Login {
  const [session, setSession] = useState<Session | null | undefined>(undefined)
  const [error, setError] = useState<ApiError | null>(null)
  const [ownTenant, setOwnTenant] = useState('')
  const [otherTenant, setOtherTenant] = useState<string | null>(sessionStorage.getItem(TENANT))
  const [projectId, setProject] = useState<string | null>(sessionStorage.getItem(PROJECT))

  const refresh = useCallback(async () => {
    try {
      const read = await request('get', '/api/v1/session')
      setCredentials({ csrfToken: read.csrf_token, tenant: read.operator ? sessionStorage.getItem(TENANT) : null })
      if (!read.password_change_required) setOwnTenant(await slugOf(read))
      setSession(read)
      setError(null)
    } catch (cause) {
      const api = cause as ApiError
      setSession(null)
      setError(api.status === 401 ? null : api)
    }
  }, [])

  useEffect(() => {
    whenLoggedOut(() => setSession(null))
    void refresh()
  }, [refresh])

  const logIn = useCallback(
    async (body: Schema<'LogIn'>) => {
      const begun = await request('post', '/api/v1/login', { body })
      setCredentials({ csrfToken: begun.csrf_token, tenant: null })
      client.clear()
      await refresh()
    },
    [client, refresh],
  )

  const context = useMemo<SessionContext | null>(
    () =>
      session
        ? {
            session,
            tenant: otherTenant ?? ownTenant,
            projectId,
            setProjectId: (id) => {
              store(PROJECT, id)
              setProject(id)
            },
            setTenant: (slug) => {
              const other = slug === ownTenant ? null : slug
              store(TENANT, other)
              store(PROJECT, null)
              setCredentials({ tenant: other })
              client.clear()
              setOtherTenant(other)
              setProject(null)
            },
            logOut: async () => {
              await request('post', '/api/v1/logout').catch(() => undefined)
              store(TENANT, null)
              store(PROJECT, null)
              setCredentials({ csrfToken: null, tenant: null })
              client.clear()
              setOtherTenant(null)
              setProject(null)
              setSession(null)
            },
          }
        : null,
    [session, ownTenant, otherTenant, projectId, client],
  )

  if (session === undefined) return { state: 'loading', logIn, refresh }
  if (session === null || !context) return { state: 'loggedOut', error, logIn, refresh }
  if (session.password_change_required) return { state: 'passwordChange', logIn, refresh }
  return { state: 'loggedIn', context, logIn, refresh }
}

function store(name: string, value: string | null): void {
  if (value) sessionStorage.setItem(name, value)
  else sessionStorage.removeItem(name)
}

/** The slug of the caller's tenant; its id for those who may not read it. */
async function slugOf({ tenant_id: id, permissions }: Session): Promise<string> {
  if (!permissions.includes('*') && !permissions.includes('tenants:read')) return id
  return (await request('get', '/api/v1/tenants/{id}', { params: { id } })).slug
}
