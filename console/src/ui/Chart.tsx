import { useEffect, useRef, useState } from 'react'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { currentLanguage, useLanguage } from '@/i18n/language'
import { useFormat } from '@/i18n/format'
import { Button } from './Button'
import styles from './Chart.module.css'
import { useUiMessages } from './messages'
import { useIsDark } from './theme'

export interface Series {
  name: string
  /** A value for each time; null where there is none. */
  values: (number | null)[]
}

interface ChartProps {
  /** Its name for screen readers. */
  label: string
  /** Times in milliseconds, ascending. */
  times: number[]
  series: Series[]
  format: (value: number | null) => string
  kind?: 'line' | 'bars'
  height?: number
  /** Joins the values on both sides of times that have none. */
  spansGaps?: boolean
  /** Called with the ends of a range that was dragged over. */
  onZoom?: (from: Date, to: Date) => void
}

const COLOURS = 8

/** Values over time. The same values are there as a table. */
export function Chart({ label, times, series, format, kind = 'line', height = 220, spansGaps, onZoom }: ChartProps) {
  const t = useUiMessages()
  const f = useFormat()
  const language = useLanguage()
  const isDark = useIsDark()
  const host = useRef<HTMLDivElement>(null)
  const [isTable, setTable] = useState(false)
  const isEmpty = times.length === 0 || series.length === 0

  useEffect(() => {
    const element = host.current
    if (!element || isTable || isEmpty) return
    const style = getComputedStyle(document.documentElement)
    const colour = (name: string) => style.getPropertyValue(name).trim()
    const axis = { stroke: colour('--muted'), grid: { stroke: colour('--border'), width: 1 }, ticks: { show: false }, font: `11px ${colour('--font')}` }
    const bars = uPlot.paths.bars?.({ size: [0.7, 40] })
    const plot = new uPlot(
      {
        width: element.clientWidth,
        height,
        cursor: { drag: { x: Boolean(onZoom), y: false, setScale: false }, points: { size: 6 } },
        select: { show: Boolean(onZoom), left: 0, top: 0, width: 0, height: 0 },
        legend: { live: true },
        padding: [10, 12, 0, 0],
        scales: { y: { range: (_, min, max) => [Math.min(0, min ?? 0), (max ?? 0) > 0 ? (max as number) * 1.08 : 1] } },
        axes: [
          { ...axis, size: 28, values: (_, ticks) => ticks.map((tick) => tickName(tick * 1000, times)) },
          { ...axis, size: 70, values: (_, ticks) => ticks.map((tick) => format(tick)) },
        ],
        series: [
          { label: t.time, value: (_, value) => (value == null ? '' : f.dateTime(value * 1000)) },
          ...series.map((each, index) => {
            const stroke = colour(`--series-${(index % COLOURS) + 1}`)
            const isBars = kind === 'bars'
            // A value between two gaps, or a single one, is no line.
            const isAlone = spansGaps ? each.values.filter((value) => value !== null).length === 1 : each.values.includes(null)
            const points = { show: times.length < 3 || (!isBars && isAlone), size: 4 }
            return { label: each.name, stroke, width: 2, spanGaps: spansGaps, fill: isBars ? stroke : undefined, paths: isBars ? bars : undefined, points, value: (_: uPlot, value: number | null) => format(value) }
          }),
        ],
        hooks: {
          setSelect: [
            (self) => {
              if (!onZoom || self.select.width < 4) return
              const at = (left: number) => new Date(self.posToVal(left, 'x') * 1000)
              onZoom(at(self.select.left), at(self.select.left + self.select.width))
            },
          ],
        },
      },
      [times.map((time) => time / 1000), ...series.map((each) => each.values)] as uPlot.AlignedData,
      element,
    )
    const observer = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height }))
    observer.observe(element)
    return () => {
      observer.disconnect()
      plot.destroy()
    }
  }, [times, series, kind, height, spansGaps, isDark, language, isTable, isEmpty])

  if (isEmpty) return <p className={styles.empty}>{t.noData}</p>
  return (
    <div className={styles.chart}>
      {isTable ? (
        <div className={styles.table} tabIndex={0} role="region" aria-label={label}>
          <table>
            <thead>
              <tr>
                <th scope="col">{t.time}</th>
                {series.map((each) => (
                  <th key={each.name} scope="col">
                    {each.name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {times.map((time, row) => (
                <tr key={time}>
                  <th scope="row">{f.dateTime(time)}</th>
                  {series.map((each) => (
                    <td key={each.name}>{format(each.values[row] ?? null)}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : (
        <div ref={host} role="img" aria-label={label} />
      )}
      <Button look="plain" className={styles.toggle} onClick={() => setTable(!isTable)}>
        {isTable ? t.asChart : t.asTable}
      </Button>
    </div>
  )
}

/** The name of a time on the axis: with the hour where the chart spans at most two days. */
function tickName(time: number, times: number[]): string {
  const span = (times.at(-1) ?? 0) - (times[0] ?? 0)
  const isShort = span <= 2 * 24 * 3600 * 1000
  const locale = currentLanguage() === 'zh' ? 'zh-CN' : 'en'
  return new Intl.DateTimeFormat(locale, isShort ? { hour: '2-digit', minute: '2-digit' } : { month: 'short', day: 'numeric' }).format(time)
}
