import { type CallTree, emptyTree } from './tree'

export interface Merged {
  tree: CallTree
  /** The node that each call became a part of. */
  nodeOf: Int32Array
  /** The first call of each node. */
  callOf: Int32Array
}

/** Merges the calls of one function by the same callers to one node. Its length is the self time of all calls at and
 * below it, as in folded stacks; the longest nodes come first. */
export function merge(calls: CallTree): Merged {
  const nodeOf = new Int32Array(calls.size)
  const nodes = new Map<number, number>()
  const children: number[][] = []
  const roots: number[] = []
  const first: number[] = []
  const weight: number[] = []
  for (let call = 0; call < calls.size; call += 1) {
    const parent = (calls.parent[call] as number) < 0 ? -1 : (nodeOf[calls.parent[call] as number] as number)
    const key = (parent + 1) * calls.labels.length + (calls.label[call] as number)
    let node = nodes.get(key)
    if (node === undefined) {
      node = first.length
      nodes.set(key, node)
      first.push(call)
      weight.push(0)
      children.push([])
      ;(parent < 0 ? roots : (children[parent] as number[])).push(node)
    }
    nodeOf[call] = node
    weight[node] = (weight[node] as number) + (calls.self[call] as number)
  }
  // A node's number is greater than its parent's, so that the sums of children are complete when they are added.
  for (let node = first.length - 1; node >= 0; node -= 1) {
    weight[node] = (weight[node] as number) + (children[node] as number[]).reduce((sum, child) => sum + (weight[child] as number), 0)
  }
  const tree = emptyTree(first.length, calls.labels)
  const indexOf = new Int32Array(first.length)
  const callOf = new Int32Array(first.length)
  let next = 0
  const open: { node: number; parent: number; start: number }[] = []
  const put = (siblings: number[], parent: number, start: number) => {
    const sorted = [...siblings].sort((a, b) => (weight[b] as number) - (weight[a] as number))
    const placed = sorted.map((node) => {
      const at = { node, parent, start }
      start += weight[node] as number
      return at
    })
    open.push(...placed.reverse())
  }
  put(roots, -1, 0)
  while (open.length > 0) {
    const { node, parent, start } = open.pop() as (typeof open)[number]
    const index = next
    next += 1
    indexOf[node] = index
    callOf[index] = first[node] as number
    tree.parent[index] = parent
    tree.depth[index] = parent < 0 ? 0 : (tree.depth[parent] as number) + 1
    tree.start[index] = start
    tree.width[index] = weight[node] as number
    tree.label[index] = calls.label[first[node] as number] as number
    put(children[node] as number[], index, start)
  }
  for (let index = tree.size - 1; index >= 0; index -= 1) {
    tree.end[index] = Math.max(tree.end[index] as number, index + 1)
    const parent = tree.parent[index] as number
    if (parent >= 0) tree.end[parent] = Math.max(tree.end[parent] as number, tree.end[index] as number)
  }
  for (let call = 0; call < calls.size; call += 1) {
    const index = indexOf[nodeOf[call] as number] as number
    nodeOf[call] = index
    tree.total[index] = (tree.total[index] as number) + (calls.total[call] as number)
    tree.self[index] = (tree.self[index] as number) + (calls.self[call] as number)
    tree.count[index] = (tree.count[index] as number) + 1
    tree.errors[index] = (tree.errors[index] as number) + (calls.errors[call] as number)
  }
  return { tree, nodeOf, callOf }
}
