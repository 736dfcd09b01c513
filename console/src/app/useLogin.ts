import type { QueryClient } from '@tanstack/react-query'
import { useCallback, useEffect, useMemo, useState } from 'react'
import { type ApiError, request, setCredentials, whenLoggedOut } from '@/api/request'
import type { Session, SessionContext } from '@/api/session'
import type { Schema } from '@/api/types'
import { notify } from '@/ui/Toasts'
import { router } from './router'

const PROJECT = 'loam.project'
const TENANT = 'loam.tenant'
/** What questions that were not sent yet are stored under. */
const DRAFTS = 'loam.draft.'

type Login = {
  logIn: (body: Schema<'LogIn'>) => Promise<void>
  /** Reads the session again; false if there is none. */
  refresh: () => Promise<boolean>
} & (
  | { state: 'loading' }
  | { state: 'loggedOut'; error: ApiError | null }
  | { state: 'passwordChange' }
  | { state: 'loggedIn'; context: SessionContext }
)

/** Tells the browser's other tabs that the session, which they share, is another or has ended. */
const otherTabs = new BroadcastChannel('loam.session')

/** The browser refused the cookie of a session that has begun: over plain HTTP it keeps it only on the server's machine. */
export class NoCookie extends Error {}

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
      setOwnTenant(read.tenant_slug)
      setSession(read)
      setError(null)
      return true
    } catch (cause) {
      const api = cause as ApiError
      setSession(null)
      setError(api.status === 401 ? null : api)
      return api.status !== 401
    }
  }, [])

  useEffect(() => {
    whenLoggedOut(() => {
      client.clear()
      setCredentials({ csrfToken: null })
      setSession(null)
    })
    // What a tab shows and stores belongs to the session before.
    otherTabs.onmessage = () => {
      forget()
      location.reload()
    }
    void refresh()
  }, [refresh, client])

  const logIn = useCallback(
    async (body: Schema<'LogIn'>) => {
      const begun = await request('post', '/api/v1/login', { body })
      setCredentials({ csrfToken: begun.csrf_token, tenant: null })
      // Whoever logs in begins anew, also after a session that ended by itself.
      forget()
      setOtherTenant(null)
      setProject(null)
      client.clear()
      if (!(await refresh())) throw new NoCookie()
      otherTabs.postMessage(null)
    },
    [client, refresh],
  )

  const context = useMemo<SessionContext | null>(
    () =>
      session
        ? {
            session,
            tenant: (session.operator ? otherTenant : null) ?? ownTenant,
            projectId,
            setProjectId: (id) => {
              store(PROJECT, id)
              setProject(id)
            },
            setTenant: (slug) => {
              const other = slug === ownTenant ? null : slug
              // What a page shows of one tenant isn't in another.
              void router.navigate({ to: '.', search: {}, replace: true } as never)
              forget()
              store(TENANT, other)
              setCredentials({ tenant: other })
              client.clear()
              setOtherTenant(other)
              setProject(null)
            },
            logOut: async () => {
              try {
                await request('post', '/api/v1/logout')
              } catch (cause) {
                // Without its end the session would be there again after a reload.
                if ((cause as ApiError).status !== 401) return notify((cause as ApiError).message)
              }
              forget()
              setCredentials({ csrfToken: null, tenant: null })
              client.clear()
              setOtherTenant(null)
              setProject(null)
              setSession(null)
              otherTabs.postMessage(null)
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

/** Forgets what this tab has stored for a user and a tenant. */
function forget(): void {
  const isPersonal = (name: string) => name === PROJECT || name === TENANT || name.startsWith(DRAFTS)
  for (const name of Object.keys(sessionStorage).filter(isPersonal)) sessionStorage.removeItem(name)
}

function store(name: string, value: string | null): void {
  if (value) sessionStorage.setItem(name, value)
  else sessionStorage.removeItem(name)
}
