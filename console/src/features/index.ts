import type { Feature } from '@/feature'
import { calls } from './calls'
import { limits } from './limits'
import { prices } from './prices'
import { providers } from './providers'
import { routes } from './routes'
import { usage } from './usage'

/** Every slice of the console. */
export const features: Feature[] = [usage, calls, providers, routes, prices, limits]
