import type { Schema } from '@/api/types'

interface Aligned {
  times: number[]
  series: { name: string; values: (number | null)[] }[]
}

/** The lines of a chart on common times, named by their tags. Buckets that only other lines have are null. */
export function alignLines(lines: Schema<'ChartLine'>[], nameOfAll: string): Aligned {
  const times = [...new Set(lines.flatMap((line) => line.points.map((point) => Date.parse(point.time))))].sort((a, b) => a - b)
  const series = lines.map((line) => {
    const values = new Map(line.points.map((point) => [Date.parse(point.time), point.value ?? null]))
    return { name: nameOf(line.tags, nameOfAll), values: times.map((time) => values.get(time) ?? null) }
  })
  return { times, series }
}

export function nameOf(tags: Record<string, unknown>, otherwise = ''): string {
  return (
    Object.entries(tags)
      .map(([name, value]) => `${name}: ${String(value)}`)
      .join(', ') || otherwise
  )
}

/** Distinct names in alphabetical order. */
export function distinct(names: string[]): string[] {
  return [...new Set(names)].sort((a, b) => a.localeCompare(b))
}

const DAY_MS = 24 * 3600 * 1000
/** Ranges that end now begin at a whole minute, so that those of a day are a little longer. */
const MINUTE_MS = 60_000

/** The buckets of a chart: minutes for at most a day, as the API allows, else hours. */
export function bucketsFor(range: { from: Date | null; to: Date | null }, now = new Date()): { from?: string; to?: string; granularity: 'minute' | 'hour' } {
  const span = range.from ? (range.to ?? now).getTime() - range.from.getTime() : Infinity
  const isDay = span > DAY_MS && span <= DAY_MS + MINUTE_MS
  const from = range.from && isDay ? new Date(range.from.getTime() + MINUTE_MS) : range.from
  return { from: from?.toISOString(), to: range.to?.toISOString(), granularity: isDay || span <= DAY_MS ? 'minute' : 'hour' }
}
