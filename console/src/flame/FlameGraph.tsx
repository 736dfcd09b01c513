import { type KeyboardEvent, type PointerEvent, useEffect, useMemo, useRef, useState } from 'react'
import { Button } from '@/ui/Button'
import { useIsDark } from '@/ui/theme'
import styles from './flame.module.css'
import { layOut, nodeAt, ROW_HEIGHT, type View, zoomed } from './layout'
import { useFlameMessages } from './messages'
import { COLOUR_OF, paint, paletteOf } from './paint'
import { type CallTree, childrenOf, KINDS, step } from './tree'
import { useDescription } from './useDescription'

interface FlameGraphProps {
  tree: CallTree
  /** The node that keys move from; -1: none yet. */
  focused: number
  onFocus: (index: number) => void
  /** Chosen or found nodes. */
  marked: Uint8Array | null
  /** How many calls were drawn for the first time. */
  onPainted?: (calls: number) => void
}

const MAX_HEIGHT = 32 * ROW_HEIGHT
const WHEEL_STEP = 1.0025

/** Calls as bars below their callers, on a canvas. */
export function FlameGraph({ tree, focused, onFocus, marked, onPainted }: FlameGraphProps) {
  const t = useFlameMessages()
  const describe = useDescription()
  const isDark = useIsDark()
  const host = useRef<HTMLDivElement>(null)
  const canvas = useRef<HTMLCanvasElement>(null)
  const layout = useMemo(() => layOut(tree), [tree])
  const whole = useMemo(() => {
    const roots = childrenOf(tree, -1)
    return roots.length === 0 ? { from: 0, to: 1 } : { from: Math.min(...roots.map((root) => layout.from[root] as number)), to: Math.max(...roots.map((root) => layout.to[root] as number)) }
  }, [layout, tree])
  const [range, setRange] = useState(whole)
  const [width, setWidth] = useState(0)
  const [top, setTop] = useState(0)
  const [hover, setHover] = useState<{ index: number; x: number; y: number } | null>(null)
  const height = Math.min(layout.rows * ROW_HEIGHT, MAX_HEIGHT)
  const view: View = { ...range, top, width, height }
  const described = focused >= 0 && focused < tree.size ? `${tree.labels[tree.label[focused] as number]?.name}: ${describe(tree, focused)}` : ''
  const isZoomed = range.from > whole.from || range.to < whole.to

  useEffect(() => setRange(whole), [whole])
  useEffect(() => {
    const element = host.current
    if (!element) return
    const observer = new ResizeObserver(() => setWidth(element.clientWidth))
    observer.observe(element)
    setWidth(element.clientWidth)
    return () => observer.disconnect()
  }, [])
  useEffect(() => {
    const element = canvas.current
    const context = element?.getContext('2d', { alpha: false })
    if (!element || !context || width === 0) return
    const ratio = window.devicePixelRatio || 1
    const size = [Math.round(width * ratio), Math.round(height * ratio)] as const
    if (element.width !== size[0]) element.width = size[0]
    if (element.height !== size[1]) element.height = size[1]
    paint(context, tree, layout, view, { focused, hovered: hover?.index ?? -1, marked }, paletteOf(getComputedStyle(document.documentElement)), ratio)
    onPainted?.(tree.size)
  }, [tree, layout, range, top, width, height, focused, hover?.index, marked, isDark])

  // React listens to the wheel passively, and couldn't keep the page from scrolling. Without the focus the page scrolls.
  useEffect(() => {
    const element = host.current
    if (!element) return
    const onWheel = (event: WheelEvent) => {
      if (!event.ctrlKey && !element.contains(document.activeElement)) return
      event.preventDefault()
      const span = range.to - range.from
      const point = range.from + ((event.clientX - element.getBoundingClientRect().left) / element.clientWidth) * span
      if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        const shift = Math.min(Math.max((event.deltaX / element.clientWidth) * span, whole.from - range.from), whole.to - range.to)
        setRange({ from: range.from + shift, to: range.to + shift })
      } else setRange(zoomed(range, point, WHEEL_STEP ** event.deltaY, whole))
    }
    element.addEventListener('wheel', onWheel, { passive: false })
    return () => element.removeEventListener('wheel', onWheel)
  }, [range, whole])

  function zoomTo(index: number) {
    const from = tree.start[index] as number
    const length = tree.width[index] as number
    setRange(length > 0 ? { from, to: from + length } : whole)
  }
  function reveal(index: number) {
    const [from, to] = [tree.start[index] as number, (tree.start[index] as number) + (tree.width[index] as number)]
    if (to <= range.from || from >= range.to) zoomTo(Math.max(tree.parent[index] as number, 0))
    const y = (layout.row[index] as number) * ROW_HEIGHT
    if (host.current && (y < top || y + ROW_HEIGHT > top + height)) host.current.scrollTop = y - height / 2
  }
  // What was chosen elsewhere is brought into view.
  useEffect(() => {
    if (focused >= 0 && focused < tree.size) reveal(focused)
  }, [focused, tree])

  function onKeyDown(event: KeyboardEvent) {
    const { key } = event
    const at = Math.max(focused, 0)
    if (key === 'Enter') zoomTo(at)
    else if (key === 'Escape' && isZoomed) setRange(whole)
    else if (key.startsWith('Arrow') || key === 'Home') onFocus(focused < 0 ? 0 : step(tree, at, key))
    else return
    event.preventDefault()
  }
  function pointAt(event: PointerEvent | React.MouseEvent): { index: number; x: number; y: number } {
    const box = (canvas.current as HTMLCanvasElement).getBoundingClientRect()
    const [x, y] = [event.clientX - box.left, event.clientY - box.top]
    return { index: nodeAt(tree, layout, view, x, y), x, y }
  }
  function onClick(event: React.MouseEvent) {
    const { index } = pointAt(event)
    if (index < 0) return
    onFocus(index)
    zoomTo(index)
  }

  return (
    <div className={styles.flame}>
      <div className={styles.legend}>
        {KINDS.filter((kind) => tree.labels.some((label) => label.kind === kind)).map((kind) => (
          <span key={kind}>
            <svg viewBox="0 0 10 10" aria-hidden>
              <rect width="10" height="10" rx="2" fill={`var(${COLOUR_OF[kind]})`} />
            </svg>
            {t.kinds[kind]}
          </span>
        ))}
        <span className={styles.keys}>{t.keys}</span>
        <Button look="plain" disabled={!isZoomed} onClick={() => setRange(whole)}>
          {t.reset}
        </Button>
      </div>
      <div className={styles.frame}>
        <div
          ref={host}
          className={styles.host}
          style={{ height }}
          tabIndex={0}
          role="application"
          aria-label={t.graph}
          aria-description={t.help}
          onKeyDown={onKeyDown}
          onFocus={() => focused < 0 && tree.size > 0 && onFocus(0)}
          onScroll={(event) => setTop(event.currentTarget.scrollTop)}
          onPointerMove={(event) => setHover(pointAt(event))}
          onPointerLeave={() => setHover(null)}
          onClick={onClick}
        >
          <div style={{ height: layout.rows * ROW_HEIGHT }}>
            <canvas ref={canvas} className={styles.canvas} style={{ width, height }} />
          </div>
        </div>
        {hover && hover.index >= 0 && (
          <div className={styles.tooltip} style={{ left: Math.max(0, Math.min(hover.x + 12, width - 280)), top: hover.y + 16 }}>
            <Tip tree={tree} index={hover.index} />
          </div>
        )}
      </div>
      <p className="visually-hidden" aria-live="polite">
        {described}
      </p>
    </div>
  )
}

function Tip({ tree, index }: { tree: CallTree; index: number }) {
  const describe = useDescription()
  const label = tree.labels[tree.label[index] as number]
  return (
    <>
      <strong>{label?.name}</strong>
      <span>{describe(tree, index)}</span>
      {label?.statement && <code>{label.statement}</code>}
      {label?.place && <span>{label.place}</span>}
    </>
  )
}
