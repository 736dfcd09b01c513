import type { Schema } from '@/api/types'

type Granularity = Schema<'StatGranularity'>

const SECOND = 1000
const LENGTH: Record<Granularity, number> = { minute: 60 * SECOND, hour: 3600 * SECOND, day: 24 * 3600 * SECOND }

/** All buckets of a range, each with its point where it has one: the API leaves empty ones out. */
export function bucketsOf<P extends { time?: string | null }>(points: P[], range: { from: string; to: string; granularity: Granularity }): { times: number[]; points: (P | null)[] } {
  const length = LENGTH[range.granularity]
  const from = Date.parse(range.from)
  const count = Math.max(0, Math.ceil((Date.parse(range.to) - from) / length))
  const times = Array.from({ length: count }, (_, index) => from + index * length)
  const byTime = new Map(points.map((point) => [Date.parse(point.time ?? ''), point]))
  return { times, points: times.map((time) => byTime.get(time) ?? null) }
}

/** Where the ends of an interval and its middle stand on a bar of width 100 around zero, which shows changes up to `limit`. */
export function whisker(change: { change: number; low?: number | null; high?: number | null }, limit: number): { low: number; middle: number; high: number } {
  const place = (value: number) => 50 + (Math.min(Math.max(value / limit, -1), 1) || 0) * 50
  return { low: place(change.low ?? change.change), middle: place(change.change), high: place(change.high ?? change.change) }
}

/** The largest change that bars have to show, between 10 % and 100 %. */
export function limitOf(changes: ({ change: number; low?: number | null; high?: number | null } | null | undefined)[]): number {
  const largest = Math.max(...changes.flatMap((change) => (change ? [Math.abs(change.change), Math.abs(change.low ?? 0), Math.abs(change.high ?? 0)] : [])), 0)
  return Math.min(Math.max(largest, 0.1), 1)
}
