/** Calls as columns, in depth-first order: each call stands after its caller. 50,000 objects would be too slow to draw. */
export interface CallTree {
  size: number
  /** The index of the caller, -1 for a root. */
  parent: Int32Array
  depth: Int32Array
  /** The index after the last descendant. */
  end: Int32Array
  /** Where it begins on the axis, and its length there. */
  start: Float64Array
  width: Float64Array
  /** Seconds. */
  total: Float64Array
  self: Float64Array
  /** How many calls a node stands for, and how many of them raised an exception. */
  count: Uint32Array
  errors: Uint32Array
  /** Index in `labels`. */
  label: Uint32Array
  labels: Label[]
}

export interface Label {
  /** With its module and class. */
  name: string
  /** Without its module. */
  short: string
  kind: Kind
  /** Its file and line. */
  place: string | null
  /** The statement of a query, the pattern of a cache key or a URL. */
  statement: string | null
}

export const KINDS = ['function', 'request', 'database', 'cache', 'external_api', 'model', 'tool', 'queue'] as const
export type Kind = (typeof KINDS)[number]

/** The columns of a tree of as many nodes. */
export function emptyTree(size: number, labels: Label[]): CallTree {
  return {
    size,
    parent: new Int32Array(size).fill(-1),
    depth: new Int32Array(size),
    end: new Int32Array(size),
    start: new Float64Array(size),
    width: new Float64Array(size),
    total: new Float64Array(size),
    self: new Float64Array(size),
    count: new Uint32Array(size),
    errors: new Uint32Array(size),
    label: new Uint32Array(size),
    labels,
  }
}

export function labelOf(tree: CallTree, index: number): Label {
  return tree.labels[tree.label[index] as number] as Label
}

/** The nodes below a node, in their order; below -1 the roots. */
export function childrenOf(tree: CallTree, index: number): number[] {
  const children: number[] = []
  const end = index < 0 ? tree.size : (tree.end[index] as number)
  for (let child = index + 1; child < end; child = tree.end[child] as number) children.push(child)
  return children
}

/** The callers of a node, the nearest first. */
export function callersOf(tree: CallTree, index: number): number[] {
  const callers: number[] = []
  for (let caller = tree.parent[index] ?? -1; caller >= 0; caller = tree.parent[caller] as number) callers.push(caller)
  return callers
}

/** Sets `parent` and `end` from the depths. */
export function linkByDepth(tree: CallTree): void {
  const open: number[] = []
  for (let index = 0; index < tree.size; index += 1) {
    while (open.length > 0 && (tree.depth[open.at(-1) as number] as number) >= (tree.depth[index] as number)) tree.end[open.pop() as number] = index
    tree.parent[index] = open.at(-1) ?? -1
    open.push(index)
  }
  for (const index of open) tree.end[index] = tree.size
}

/** For each node whether its name or statement contains a text, in any case; null for an empty text. */
export function search(tree: CallTree, text: string): Uint8Array | null {
  const wanted = text.trim().toLowerCase()
  if (!wanted) return null
  const isFound = tree.labels.map((label) => label.name.toLowerCase().includes(wanted) || Boolean(label.statement?.toLowerCase().includes(wanted)))
  return Uint8Array.from(tree.label, (label) => (isFound[label] ? 1 : 0))
}

/** The node that an arrow key leads to: up to the caller, down to the longest callee, sideways to the calls beside it. */
export function step(tree: CallTree, index: number, key: string): number {
  if (key === 'ArrowUp') return Math.max(tree.parent[index] ?? 0, 0)
  if (key === 'ArrowDown') return childrenOf(tree, index).reduce((longest, child) => (longest === index || (tree.width[child] as number) > (tree.width[longest] as number) ? child : longest), index)
  if (key === 'Home') return 0
  const siblings = childrenOf(tree, tree.parent[index] ?? -1)
  const at = siblings.indexOf(index) + (key === 'ArrowRight' ? 1 : key === 'ArrowLeft' ? -1 : 0)
  return siblings[at] ?? index
}
