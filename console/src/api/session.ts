import { createContext, useContext } from 'react'
import type { Permission } from './generated/permissions'
import type { Schema } from './types'

export type Session = Schema<'SessionView'>

export interface SessionContext {
  session: Session
  /** Slug of the tenant that the pages show. */
  tenant: string
  /** The project that pages are limited to, if any. */
  projectId: string | null
  setProjectId: (id: string | null) => void
  /** Shows another tenant: only for operators. */
  setTenant: (slug: string | null) => void
  logOut: () => Promise<void>
}

export const CurrentSession = createContext<SessionContext | null>(null)

/** The session of the person in front of the page. */
export function useSession(): SessionContext {
  const context = useContext(CurrentSession)
  if (!context) throw new Error('useSession needs a session')
  return context
}

/** Operators are users of this tenant. */
const OPERATORS_TENANT = 'default'

/** Whether the caller acts as an operator: in another tenant operators have no operator's permissions. */
export function useIsOperator(): boolean {
  const { session, tenant } = useSession()
  return session.operator && tenant === OPERATORS_TENANT
}

/** Tells whether the caller has a permission. What this hides, the server refuses as well. */
export function useCan(): (permission: Permission | undefined) => boolean {
  const { session } = useSession()
  return (permission) => !permission || session.permissions.includes('*') || session.permissions.includes(permission)
}
