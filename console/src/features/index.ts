import type { Feature } from '@/feature'
import { calls } from './calls'

/** Every slice of the console. */
export const features: Feature[] = [calls]
