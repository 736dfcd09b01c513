import type { Schema } from '@/api/types'

type Usage = Schema<'Usage'>
export type Granularity = Schema<'UsageGranularity'>

const HOUR = 3_600_000
const SIZES: Record<Granularity, number> = { minute: 60_000, hour: HOUR, day: 24 * HOUR }

/** The buckets that suit a range: some sixty to two hundred points. */
export function granularityOf(from: Date, to: Date): Granularity {
  const span = to.getTime() - from.getTime()
  if (span <= 2 * HOUR) return 'minute'
  return span <= 8 * 24 * HOUR ? 'hour' : 'day'
}

/** The starts of all buckets of a range, also of those in which nothing happened. */
export function bucketTimes(from: Date, to: Date, granularity: Granularity): number[] {
  const size = SIZES[granularity]
  const times = []
  for (let time = Math.floor(from.getTime() / size) * size; time < to.getTime(); time += size) times.push(time)
  return times
}

/** The values of rows at the times of buckets. */
export function seriesOf(times: number[], rows: Usage[], value: (row: Usage) => number | null, missing: number | null = 0): (number | null)[] {
  const found = new Map(rows.map((row) => [Date.parse(row.time ?? ''), value(row)]))
  return times.map((time) => (found.has(time) ? (found.get(time) ?? null) : missing))
}

/** The range of equal length before a range. */
export function rangeBefore(from: Date, to: Date): { from: Date; to: Date } {
  return { from: new Date(2 * from.getTime() - to.getTime()), to: from }
}

/** The share by which a figure changed; null if it can't be told. */
export function changeOf(before: number | null | undefined, now: number | null | undefined): number | null {
  return before == null || now == null || before === 0 ? null : (now - before) / before
}

/** Distinct users in each bucket, from groups by time and user. */
export function distinctUsers(times: number[], rows: Usage[]): number[] {
  const users = new Map<number, Set<string>>()
  for (const row of rows) {
    const user = row.user_id ?? row.end_user
    if (!user || row.calls === 0) continue
    const time = Date.parse(row.time ?? '')
    const known = users.get(time) ?? new Set()
    users.set(time, known.add(user))
  }
  return times.map((time) => users.get(time)?.size ?? 0)
}
