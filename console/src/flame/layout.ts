import type { CallTree } from './tree'

export interface Layout {
  /** The row of each node, from 0. */
  row: Int32Array
  rows: number
  /** Where a node and all below it begin and end on the axis. A task may outlive its caller. */
  from: Float64Array
  to: Float64Array
}

/** Calls that overlap by less follow one another; times are rounded. */
const ROUNDING_SECONDS = 1e-7

/** Puts each node into a row below its caller, so that none covers another: calls that run at the same time get rows of
 * their own. */
export function layOut(tree: CallTree): Layout {
  const { size, end, parent, start, width } = tree
  const row = new Int32Array(size)
  const offset = new Int32Array(size)
  const height = new Int32Array(size)
  const from = new Float64Array(size)
  const to = new Float64Array(size)
  const lane = new Int32Array(size)
  for (let index = size - 1; index >= -1; index -= 1) {
    const last = index < 0 ? size : (end[index] as number)
    if (last === index + 1) {
      height[index] = 1
      from[index] = start[index] as number
      to[index] = (start[index] as number) + (width[index] as number)
      continue
    }
    const laneEnds: number[] = []
    const laneHeights: number[] = []
    let lowest = index < 0 ? 0 : (start[index] as number)
    let highest = index < 0 ? 0 : lowest + (width[index] as number)
    for (let child = index + 1; child < last; child = end[child] as number) {
      let free = 0
      while (free < laneEnds.length && (laneEnds[free] as number) > (from[child] as number) + ROUNDING_SECONDS) free += 1
      laneEnds[free] = to[child] as number
      laneHeights[free] = Math.max(laneHeights[free] ?? 0, height[child] as number)
      lane[child] = free
      lowest = Math.min(lowest, from[child] as number)
      highest = Math.max(highest, to[child] as number)
    }
    let below = 0
    const tops = laneHeights.map((each) => (below += each) - each)
    for (let child = index + 1; child < last; child = end[child] as number) offset[child] = tops[lane[child] as number] as number
    if (index < 0) break
    height[index] = 1 + below
    from[index] = lowest
    to[index] = highest
  }
  let rows = 0
  for (let index = 0; index < size; index += 1) {
    const caller = parent[index] as number
    row[index] = (caller < 0 ? 0 : (row[caller] as number) + 1) + (offset[index] as number)
    rows = Math.max(rows, (row[index] as number) + 1)
  }
  return { row, rows, from, to }
}

/** The part of the axis and of the rows that is in view. */
export interface View {
  from: number
  to: number
  /** Pixels of the rows that are scrolled out at the top. */
  top: number
  width: number
  height: number
}

export const ROW_HEIGHT = 18
/** Narrower calls are drawn as one pixel, once for each pixel. */
const NARROW = 1

/** Visits the nodes that can be seen, with their place in pixels. What lies in a pixel that is already taken is left out. */
export function visit(tree: CallTree, layout: Layout, view: View, each: (index: number, x: number, y: number, width: number) => void): void {
  const scale = view.width / (view.to - view.from || 1)
  const taken = new Int32Array(layout.rows).fill(-1)
  for (let index = 0; index < tree.size; ) {
    const next = tree.end[index] as number
    const [from, to] = [layout.from[index] as number, layout.to[index] as number]
    if (to < view.from || from > view.to) {
      index = next
      continue
    }
    const row = layout.row[index] as number
    const y = row * ROW_HEIGHT - view.top
    const x = ((tree.start[index] as number) - view.from) * scale
    const width = (tree.width[index] as number) * scale
    const isSeen = y > -ROW_HEIGHT && y < view.height && x + width >= 0 && x <= view.width
    if (width >= NARROW) {
      if (isSeen) each(index, x, y, width)
    } else {
      const pixel = Math.floor(x)
      if (taken[row] !== pixel) {
        taken[row] = pixel
        if (isSeen) each(index, pixel, y, NARROW)
      } else if ((to - from) * scale < NARROW) {
        // All below it lies in the same pixel, where something stands already.
        index = next
        continue
      }
    }
    index += 1
  }
}

/** The node at a point, -1 where none is. */
export function nodeAt(tree: CallTree, layout: Layout, view: View, x: number, y: number): number {
  let found = -1
  visit(tree, layout, view, (index, left, top, width) => {
    if (y >= top && y < top + ROW_HEIGHT && x >= left && x < left + Math.max(width, 2)) found = index
  })
  return found
}

/** The range of the axis after a turn of the wheel at a point; `factor` below 1 shows less. */
export function zoomed(view: Pick<View, 'from' | 'to'>, at: number, factor: number, limit: { from: number; to: number }): { from: number; to: number } {
  const from = Math.max(limit.from, at - (at - view.from) * factor)
  const to = Math.min(limit.to, at + (view.to - at) * factor)
  // Below a microsecond nothing is to be seen.
  return to - from < Math.min(1e-6, limit.to - limit.from) ? { from: view.from, to: view.to } : { from, to }
}
