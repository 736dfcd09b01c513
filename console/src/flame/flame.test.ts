import { describe, expect, it } from 'vitest'
import { expandedTo, initiallyExpanded, visibleNodes } from './expand'
import { layOut, nodeAt, ROW_HEIGHT, visit, zoomed } from './layout'
import { merge } from './merge'
import { mix } from './paint'
import { type CallTree, callersOf, childrenOf, emptyTree, linkByDepth, search, step } from './tree'

/** A tree of `[depth, name, start, duration, self]`. */
function treeOf(calls: [number, string, number, number, number][]): CallTree {
  const names = [...new Set(calls.map(([, name]) => name))]
  const tree = emptyTree(calls.length, names.map((name) => ({ name, short: name, kind: 'function' as const, place: null, statement: name === 'query' ? 'SELECT * FROM items' : null })))
  calls.forEach(([depth, name, start, duration, self], index) => {
    tree.depth[index] = depth
    tree.label[index] = names.indexOf(name)
    tree.start[index] = start
    tree.width[index] = tree.total[index] = duration
    tree.self[index] = self
    tree.count[index] = 1
  })
  linkByDepth(tree)
  return tree
}

const sequential = treeOf([
  [0, 'handler', 0, 10, 2],
  [1, 'load', 1, 4, 1],
  [2, 'query', 1, 1, 1],
  [2, 'query', 3, 2, 2],
  [1, 'load', 6, 3, 0],
  [2, 'query', 6, 3, 3],
])

describe('a tree', () => {
  it('is linked by depths', () => {
    expect([...sequential.parent]).toEqual([-1, 0, 1, 1, 0, 4])
    expect([...sequential.end]).toEqual([6, 4, 3, 4, 6, 6])
    expect(childrenOf(sequential, 0)).toEqual([1, 4])
    expect(callersOf(sequential, 3)).toEqual([1, 0])
  })
  it('is searched by name and statement', () => {
    expect([...(search(sequential, 'LOAD') ?? [])]).toEqual([0, 1, 0, 0, 1, 0])
    expect([...(search(sequential, 'from items') ?? [])]).toEqual([0, 0, 1, 1, 0, 1])
    expect(search(sequential, ' ')).toBeNull()
  })
  it('is walked with arrows', () => {
    expect(step(sequential, 0, 'ArrowDown')).toBe(1)
    expect(step(sequential, 1, 'ArrowDown')).toBe(3)
    expect(step(sequential, 1, 'ArrowRight')).toBe(4)
    expect(step(sequential, 4, 'ArrowRight')).toBe(4)
    expect(step(sequential, 5, 'ArrowUp')).toBe(4)
    expect(step(sequential, 0, 'ArrowUp')).toBe(0)
    expect(step(sequential, 5, 'Home')).toBe(0)
  })
})

describe('a layout', () => {
  it('puts sequential calls into one row', () => {
    expect([...layOut(sequential).row]).toEqual([0, 1, 2, 2, 1, 2])
  })
  it('puts concurrent calls below one another, with all that they call', () => {
    const layout = layOut(treeOf([
      [0, 'handler', 0, 10, 0],
      [1, 'a', 0, 5, 0],
      [2, 'query', 1, 2, 2],
      [1, 'b', 2, 5, 5],
      [1, 'c', 5, 5, 5],
    ]))
    expect([...layout.row]).toEqual([0, 1, 2, 3, 1])
    expect(layout.rows).toBe(4)
  })
  it('reaches as far as a task that outlives its caller', () => {
    const layout = layOut(treeOf([[0, 'handler', 0, 2, 2], [1, 'task', 1, 5, 5]]))
    expect(layout.to[0]).toBe(6)
  })
  it('shows what is in view, and each pixel once', () => {
    const many = treeOf([[0, 'handler', 0, 1000, 0], ...Array.from({ length: 1000 }, (_, index) => [1, 'tick', index, 0.5, 0.5] as [number, string, number, number, number])])
    const layout = layOut(many)
    const seen = (from: number, to: number) => {
      let count = 0
      visit(many, layout, { from, to, top: 0, width: 100, height: 100 }, () => (count += 1))
      return count
    }
    expect(seen(0, 1000)).toBe(101)
    expect(seen(0, 10)).toBe(12)
  })
  it('finds the call at a point', () => {
    const view = { from: 0, to: 10, top: 0, width: 100, height: 100 }
    const layout = layOut(sequential)
    expect(nodeAt(sequential, layout, view, 35, ROW_HEIGHT * 2.5)).toBe(3)
    expect(nodeAt(sequential, layout, view, 55, ROW_HEIGHT * 1.5)).toBe(-1)
  })
  it('zooms about a point within its limits', () => {
    expect(zoomed({ from: 0, to: 10 }, 5, 0.5, { from: 0, to: 10 })).toEqual({ from: 2.5, to: 7.5 })
    expect(zoomed({ from: 2, to: 4 }, 3, 100, { from: 0, to: 10 })).toEqual({ from: 0, to: 10 })
  })
})

describe('merged calls', () => {
  it('add up by function and callers, the longest first', () => {
    const { tree, nodeOf } = merge(sequential)
    expect(tree.size).toBe(3)
    expect([...nodeOf]).toEqual([0, 1, 2, 2, 1, 2])
    expect([...tree.count]).toEqual([1, 2, 3])
    expect([...tree.total]).toEqual([10, 7, 6])
    expect([...tree.self]).toEqual([2, 1, 6])
    expect([...tree.width]).toEqual([9, 7, 6])
    expect([...tree.end]).toEqual([3, 3, 3])
  })
  it('stand beside one another by their weight', () => {
    const { tree } = merge(treeOf([[0, 'handler', 0, 10, 1], [1, 'short', 0, 2, 2], [1, 'long', 2, 7, 7]]))
    expect(tree.labels[tree.label[1] as number]?.name).toBe('long')
    expect([...tree.start]).toEqual([0, 0, 7])
  })
})

describe('a table of calls', () => {
  it('shows what is expanded', () => {
    expect(visibleNodes(sequential, new Set())).toEqual([0])
    expect(visibleNodes(sequential, new Set([0, 4]))).toEqual([0, 1, 4, 5])
  })
  it('expands the longest calls first', () => {
    expect(initiallyExpanded(sequential, 4)).toEqual(new Set([0, 1]))
  })
  it('expands to what was chosen', () => {
    expect(expandedTo(sequential, new Set(), [5])).toEqual(new Set([0, 4]))
  })
})

describe('colours', () => {
  it('are mixed', () => {
    expect(mix('#ff0000', '#0000ff', 0.5)).toBe('rgb(128 0 128)')
    expect(mix('#000000', '#fff', 0.5)).toBe('rgb(128 128 128)')
  })
})
