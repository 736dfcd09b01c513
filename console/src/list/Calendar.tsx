import { useState } from 'react'
import { type DateRange, DayPicker } from 'react-day-picker'
import { zhCN } from 'react-day-picker/locale'
import 'react-day-picker/style.css'
import { useFormat } from '@/i18n/format'
import { useLanguage } from '@/i18n/language'
import { Button } from '@/ui/Button'
import { useUiMessages } from '@/ui/messages'
import styles from './list.module.css'

interface CalendarProps {
  from: Date | null
  to: Date | null
  /** `to` is the start of the day after the last. */
  onChoose: (from: Date, to: Date) => void
}

/** Two days as the ends of a range. Loaded when it is opened. */
export default function Calendar({ from, to, onChoose }: CalendarProps) {
  const t = useUiMessages()
  const f = useFormat()
  const language = useLanguage()
  const [days, setDays] = useState<DateRange | undefined>(from ? { from, to: to ?? new Date() } : undefined)
  function apply() {
    if (!days?.from) return
    const end = new Date(days.to ?? days.from)
    end.setHours(24, 0, 0, 0)
    const start = new Date(days.from)
    start.setHours(0, 0, 0, 0)
    onChoose(start, end)
  }
  return (
    <div className={styles.calendar}>
      <DayPicker mode="range" labels={{ labelDayButton: (day) => f.date(day) }} selected={days} onSelect={setDays} defaultMonth={from ?? undefined} disabled={{ after: new Date() }} locale={language === 'zh' ? zhCN : undefined} />
      <Button look="primary" disabled={!days?.from} onClick={apply}>
        {t.apply}
      </Button>
    </div>
  )
}
