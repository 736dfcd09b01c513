import { useVirtualizer } from '@tanstack/react-virtual'
import { ChevronDown, ChevronRight } from 'lucide-react'
import { type KeyboardEvent, useEffect, useId, useMemo, useRef, useState } from 'react'
import { useFormat } from '@/i18n/format'
import { classes } from '@/ui/classes'
import { expandedTo, initiallyExpanded, visibleNodes } from './expand'
import styles from './flame.module.css'
import { useFlameMessages } from './messages'
import { COLOUR_OF } from './paint'
import { type CallTree, labelOf } from './tree'

interface TreeTableProps {
  tree: CallTree
  isMerged: boolean
  focused: number
  onFocus: (index: number) => void
  marked: Uint8Array | null
  /** Nodes to bring into view. */
  chosen: number[]
}

const ROW_HEIGHT = 28
const INDENT = 12
const DEEPEST_INDENT = 20

/** The calls as a tree in a table, of which only the rows in view are drawn. */
export function TreeTable({ tree, isMerged, focused, onFocus, marked, chosen }: TreeTableProps) {
  const t = useFlameMessages()
  const f = useFormat()
  const id = useId()
  const host = useRef<HTMLDivElement>(null)
  const [expanded, setExpanded] = useState<ReadonlySet<number>>(() => initiallyExpanded(tree))
  const rows = useMemo(() => visibleNodes(tree, expanded), [tree, expanded])
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => host.current, estimateSize: () => ROW_HEIGHT, overscan: 12, paddingStart: 0, scrollPaddingStart: ROW_HEIGHT })

  useEffect(() => setExpanded(initiallyExpanded(tree)), [tree])
  useEffect(() => {
    if (chosen.length > 0) setExpanded((before) => expandedTo(tree, before, chosen))
  }, [tree, chosen])
  useEffect(() => {
    if (focused >= 0 && focused < tree.size) setExpanded((before) => expandedTo(tree, before, [focused]))
  }, [tree, focused])
  useEffect(() => {
    const at = rows.indexOf(focused >= 0 ? focused : (chosen[0] ?? -1))
    if (at >= 0) virtual.scrollToIndex(at, { align: 'auto' })
  }, [focused, chosen, rows])

  function toggle(index: number, isOpen: boolean) {
    setExpanded((before) => {
      const after = new Set(before)
      if (isOpen) after.add(index)
      else after.delete(index)
      return after
    })
  }
  function onKeyDown(event: KeyboardEvent) {
    const at = Math.max(rows.indexOf(focused), 0)
    const index = rows[at] as number
    const canOpen = (tree.end[index] as number) > index + 1
    const move = (to: number) => onFocus(rows[Math.min(Math.max(to, 0), rows.length - 1)] as number)
    if (event.key === 'ArrowDown') move(focused < 0 ? 0 : at + 1)
    else if (event.key === 'ArrowUp') move(at - 1)
    else if (event.key === 'Home') move(0)
    else if (event.key === 'End') move(rows.length - 1)
    else if (event.key === 'PageDown') move(at + 15)
    else if (event.key === 'PageUp') move(at - 15)
    else if (event.key === 'ArrowRight' && canOpen) expanded.has(index) ? onFocus(index + 1) : toggle(index, true)
    else if (event.key === 'ArrowLeft') expanded.has(index) && canOpen ? toggle(index, false) : (tree.parent[index] as number) >= 0 && onFocus(tree.parent[index] as number)
    else return
    event.preventDefault()
  }
  return (
    <div
      ref={host}
      className={styles.tree}
      role="treegrid"
      aria-label={t.table}
      aria-rowcount={rows.length + 1}
      aria-activedescendant={rows.includes(focused) ? `${id}-${focused}` : undefined}
      tabIndex={0}
      onKeyDown={onKeyDown}
    >
      <div role="rowgroup" className={styles.header}>
        <div role="row" aria-rowindex={1} className={styles.row}>
          {[t.call, t.total, t.self, isMerged ? t.count : t.below, t.exceptions].map((header) => (
            <span key={header} role="columnheader">
              {header}
            </span>
          ))}
        </div>
      </div>
      <div role="rowgroup" className={styles.body} style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((item) => {
          const index = rows[item.index] as number
          const label = labelOf(tree, index)
          const size = (tree.end[index] as number) - index
          const isOpen = expanded.has(index)
          const errors = tree.errors[index] as number
          return (
            <div
              key={index}
              id={`${id}-${index}`}
              role="row"
              aria-level={(tree.depth[index] as number) + 1}
              aria-rowindex={item.index + 2}
              aria-expanded={size > 1 ? isOpen : undefined}
              aria-selected={marked?.[index] === 1}
              className={classes(styles.row, marked?.[index] === 1 && styles.marked, index === focused && styles.current)}
              style={{ transform: `translateY(${item.start}px)` }}
              onClick={() => onFocus(index)}
            >
              <span role="gridcell" className={styles.name} style={{ paddingInlineStart: Math.min(tree.depth[index] as number, DEEPEST_INDENT) * INDENT }}>
                {size > 1 ? (
                  <button
                    type="button"
                    tabIndex={-1}
                    className={styles.toggle}
                    aria-label={isOpen ? t.collapse(label.short) : t.expand(label.short)}
                    onClick={(event) => {
                      event.stopPropagation()
                      toggle(index, !isOpen)
                    }}
                  >
                    {isOpen ? <ChevronDown size={14} /> : <ChevronRight size={14} />}
                  </button>
                ) : (
                  <span className={styles.toggle} />
                )}
                <svg className={styles.dot} viewBox="0 0 10 10" role="img" aria-label={t.kinds[label.kind]}>
                  <rect width="10" height="10" rx="2" fill={`var(${COLOUR_OF[label.kind]})`} />
                </svg>
                <code title={label.name}>{label.short}</code>
                {label.statement && <small title={label.statement}>{label.statement}</small>}
              </span>
              <span role="gridcell">{f.duration((tree.total[index] as number) * 1000)}</span>
              <span role="gridcell">{f.duration((tree.self[index] as number) * 1000)}</span>
              <span role="gridcell">{f.number(isMerged ? (tree.count[index] as number) : size - 1)}</span>
              <span role="gridcell" className={classes(errors > 0 && styles.failed)}>{errors > 0 ? f.number(errors) : ''}</span>
            </div>
          )
        })}
      </div>
    </div>
  )
}
