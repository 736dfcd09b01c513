import type { Feature } from '@/feature'
import { calls } from './calls'
import { usage } from './usage'

/** Every slice of the console. */
export const features: Feature[] = [usage, calls]
