import type { Feature } from '@/feature'
import { calls } from './calls'
import { keys } from './keys'
import { limits } from './limits'
import { prices } from './prices'
import { providers } from './providers'
import { roles } from './roles'
import { routes } from './routes'
import { usage } from './usage'
import { users } from './users'

/** Every slice of the console. */
export const features: Feature[] = [usage, calls, providers, routes, prices, limits, users, roles, keys]
