import { currentLanguage, useLanguage } from './language'

function locale(): string {
  return currentLanguage() === 'zh' ? 'zh-CN' : 'en'
}

const cache = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat | Intl.RelativeTimeFormat>()
function cached<T extends Intl.NumberFormat | Intl.DateTimeFormat | Intl.RelativeTimeFormat>(key: string, make: (locale: string) => T): T {
  const name = `${locale()} ${key}`
  let found = cache.get(name)
  if (!found) cache.set(name, (found = make(locale())))
  return found as T
}

type Maybe = number | null | undefined
/** What stands where there is no value. */
export const NONE = '–'

function number(value: Maybe): string {
  return value == null ? NONE : cached('number', (l) => new Intl.NumberFormat(l, { maximumFractionDigits: 2 })).format(value)
}

/** Few digits: 12.3K, 1.2万. */
function compact(value: Maybe): string {
  if (value == null) return NONE
  return cached('compact', (l) => new Intl.NumberFormat(l, { notation: 'compact', maximumFractionDigits: 1 })).format(value)
}

/** US dollars, with more digits the smaller they are. */
function money(value: Maybe): string {
  if (value == null) return NONE
  const digits = value !== 0 && Math.abs(value) < 0.01 ? 6 : value !== 0 && Math.abs(value) < 1 ? 4 : 2
  return cached(`usd${digits}`, (l) => new Intl.NumberFormat(l, { style: 'currency', currency: 'USD', currencyDisplay: 'narrowSymbol', minimumFractionDigits: 2, maximumFractionDigits: digits })).format(value)
}

function percent(share: Maybe): string {
  return share == null ? NONE : cached('percent', (l) => new Intl.NumberFormat(l, { style: 'percent', maximumFractionDigits: 1 })).format(share)
}

/** Milliseconds in a unit that suits: 850 µs, 12.3 ms, 4.56 s, 3 min 20 s. */
function duration(ms: Maybe): string {
  if (ms == null) return NONE
  const digits = (value: number) => cached('short', (l) => new Intl.NumberFormat(l, { maximumSignificantDigits: 3 })).format(value)
  if (ms !== 0 && Math.abs(ms) < 1) return `${digits(ms * 1000)} µs`
  if (Math.abs(ms) < 1000) return `${digits(ms)} ms`
  if (Math.abs(ms) < 60_000) return `${digits(ms / 1000)} s`
  const seconds = Math.round(ms / 1000)
  const pair = (amount: number, unit: string, rest: number, restUnit: string) => (rest > 0 ? `${amount} ${unit} ${rest} ${restUnit}` : `${amount} ${unit}`)
  if (seconds < 3600) return pair(Math.floor(seconds / 60), 'min', seconds % 60, 's')
  if (seconds < 86_400) return pair(Math.floor(seconds / 3600), 'h', Math.floor((seconds % 3600) / 60), 'min')
  return pair(Math.floor(seconds / 86_400), 'd', Math.floor((seconds % 86_400) / 3600), 'h')
}

function bytes(value: Maybe): string {
  if (value == null) return NONE
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let unit = 0
  let rest = value
  while (Math.abs(rest) >= 1024 && unit < units.length - 1) {
    rest /= 1024
    unit += 1
  }
  return `${cached('short', (l) => new Intl.NumberFormat(l, { maximumSignificantDigits: 3 })).format(rest)} ${units[unit]}`
}

type Moment = string | number | Date | null | undefined

/** Date and time to the second, in the browser's time zone. */
function dateTime(value: Moment): string {
  if (value == null) return NONE
  return cached('datetime', (l) => new Intl.DateTimeFormat(l, { dateStyle: 'medium', timeStyle: 'medium' })).format(new Date(value))
}

function date(value: Moment): string {
  if (value == null) return NONE
  return cached('date', (l) => new Intl.DateTimeFormat(l, { dateStyle: 'medium' })).format(new Date(value))
}

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['second', 60],
  ['minute', 60],
  ['hour', 24],
  ['day', 30],
  ['month', 12],
  ['year', Infinity],
]

/** "3 minutes ago", "in 2 days". */
function relative(value: Moment, now = Date.now()): string {
  if (value == null) return NONE
  let amount = (new Date(value).getTime() - now) / 1000
  for (const [unit, size] of STEPS) {
    if (Math.abs(amount) < size) return cached('relative', (l) => new Intl.RelativeTimeFormat(l, { numeric: 'auto' })).format(Math.round(amount), unit)
    amount /= size
  }
  return dateTime(value)
}

const SHORT_ID = 8

/** The end of an id, which tells it from others. */
export function shortId(id: string): string {
  return `…${id.slice(-SHORT_ID)}`
}

export const format = { number, compact, money, percent, duration, bytes, dateTime, date, relative }

/** The formats of the current language; the component is drawn again when it changes. */
export function useFormat(): typeof format {
  useLanguage()
  return format
}
