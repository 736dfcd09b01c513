import type { Feature } from '@/feature'
import { alerts } from './alerts'
import { analyses } from './analyses'
import { apiLog } from './api-log'
import { auditLog } from './audit-log'
import { calls } from './calls'
import { channels } from './channels'
import { chat } from './chat'
import { configuration } from './configuration'
import { connect } from './connect'
import { database } from './database'
import { deliveries } from './deliveries'
import { erasures } from './erasures'
import { errors } from './errors'
import { jobs } from './jobs'
import { keys } from './keys'
import { limits } from './limits'
import { loginSessions } from './login-sessions'
import { metrics } from './metrics'
import { prices } from './prices'
import { projects } from './projects'
import { providers } from './providers'
import { quarantine } from './quarantine'
import { records } from './records'
import { rejectedRecords } from './rejected-records'
import { roles } from './roles'
import { routes } from './routes'
import { signingKeys } from './signing-keys'
import { start } from './start'
import { statistics } from './statistics'
import { suggestions } from './suggestions'
import { tenants } from './tenants'
import { tokenIssuers } from './token-issuers'
import { toolCalls } from './tool-calls'
import { usage } from './usage'
import { users } from './users'

/** Every slice of the console. */
export const features: Feature[] = [
  usage,
  start,
  calls,
  providers,
  routes,
  prices,
  limits,
  users,
  roles,
  keys,
  projects,
  tokenIssuers,
  loginSessions,
  tenants,
  signingKeys,
  configuration,
  channels,
  jobs,
  deliveries,
  rejectedRecords,
  quarantine,
  auditLog,
  apiLog,
  erasures,
  database,
  alerts,
  connect,
  analyses,
  errors,
  suggestions,
  records,
  statistics,
  metrics,
  chat,
  toolCalls,
]
