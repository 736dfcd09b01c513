import { type CallTree, callersOf, childrenOf } from './tree'

/** The nodes that a table shows in this order: those whose callers are all expanded. */
export function visibleNodes(tree: CallTree, expanded: ReadonlySet<number>): number[] {
  const shown: number[] = []
  for (let index = 0; index < tree.size; ) {
    shown.push(index)
    index = expanded.has(index) ? index + 1 : (tree.end[index] as number)
  }
  return shown
}

/** What is expanded at first: from the root along the calls with most of the time, as far as some rows suffice. */
export function initiallyExpanded(tree: CallTree, rows = 40): Set<number> {
  const expanded = new Set<number>()
  let left = rows
  const open = childrenOf(tree, -1)
  while (open.length > 0) {
    open.sort((a, b) => (tree.total[b] as number) - (tree.total[a] as number))
    const index = open.shift() as number
    const children = childrenOf(tree, index)
    if (children.length === 0) continue
    if (children.length > left && expanded.size > 0) continue
    left -= children.length
    expanded.add(index)
    open.push(...children.slice(0, rows))
    if (left <= 0) break
  }
  return expanded
}

/** The expanded nodes, and the callers of some nodes as well, so that these can be seen. */
export function expandedTo(tree: CallTree, expanded: ReadonlySet<number>, nodes: number[]): Set<number> {
  return new Set([...expanded, ...nodes.flatMap((node) => callersOf(tree, node))])
}
