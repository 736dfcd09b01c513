import { CalendarClock } from 'lucide-react'
import { lazy, Suspense, useState } from 'react'
import { useFormat } from '@/i18n/format'
import { Button } from '@/ui/Button'
import { Skeleton } from '@/ui/Feedback'
import { useUiMessages } from '@/ui/messages'
import { Popover } from '@/ui/Popover'
import styles from './list.module.css'
import { useSearchState } from './search'
import { type Preset, PRESETS, useTimeRange } from './time'

const Calendar = lazy(() => import('./Calendar'))

interface TimeRangePickerProps {
  fallback?: Preset | null
  /** Whether the range may be left open. */
  allowsAll?: boolean
}

/** Chooses the time range in the page's URL. */
export function TimeRangePicker({ fallback = null, allowsAll }: TimeRangePickerProps) {
  const t = useUiMessages()
  const f = useFormat()
  const [, setSearch] = useSearchState()
  const range = useTimeRange(fallback)
  const [isOpen, setOpen] = useState(false)
  const names: Record<Preset, string> = { '1h': t.lastHour, '24h': t.last24Hours, '7d': t.last7Days, '30d': t.last30Days }
  const isFixed = !range.preset && (range.from || range.to)
  const name = range.preset ? names[range.preset] : isFixed ? `${f.date(range.from)} – ${f.date(range.to)}` : t.allTime
  function choose(changes: Record<string, string | undefined>) {
    setSearch({ range: undefined, from: undefined, to: undefined, cursor: undefined, ...changes })
    setOpen(false)
  }
  return (
    <Popover
      label={t.timeRange}
      open={isOpen}
      onOpenChange={setOpen}
      trigger={
        <Button icon={<CalendarClock size={16} />} aria-label={`${t.timeRange}: ${name}`}>
          {name}
        </Button>
      }
    >
      <div className={styles.ranges}>
        <div className={styles.presets}>
          {allowsAll && <Button look="plain" onClick={() => choose({ range: fallback ? 'all' : undefined })}>{t.allTime}</Button>}
          {(Object.keys(PRESETS) as Preset[]).map((preset) => (
            <Button key={preset} look="plain" aria-pressed={range.preset === preset} onClick={() => choose({ range: preset })}>
              {names[preset]}
            </Button>
          ))}
        </div>
        <Suspense fallback={<Skeleton lines={6} />}>
          <Calendar from={range.from} to={range.to} onChoose={(from, to) => choose({ from: from.toISOString(), to: to.toISOString() })} />
        </Suspense>
      </div>
    </Popover>
  )
}
