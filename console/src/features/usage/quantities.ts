import type { Schema } from '@/api/types'
import { useFormat } from '@/i18n/format'
import { useMessages } from './messages'

/** What was used of what isn't counted by tokens, as a text: `3 images, 12.5 seconds`. */
export function useQuantities(): (usage: Schema<'Usage'>) => string {
  const t = useMessages()
  const f = useFormat()
  return (usage) => usage.quantities.map(({ unit, quantity }) => `${f.number(quantity)} ${t.units[unit]}`).join(', ')
}
