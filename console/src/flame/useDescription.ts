import { useFormat } from '@/i18n/format'
import { useFlameMessages } from './messages'
import { type CallTree, labelOf } from './tree'

/** Returns a function that describes a node in a line, with its share of the root's time. */
export function useDescription(): (tree: CallTree, index: number) => string {
  const t = useFlameMessages()
  const f = useFormat()
  return (tree, index) => {
    const label = labelOf(tree, index)
    const seconds = tree.total[index] as number
    const whole = tree.total[0] as number
    const share = f.percent(whole > 0 ? seconds / whole : null)
    const parts = [t.described(t.kinds[label.kind], f.duration(seconds * 1000), share, f.duration((tree.self[index] as number) * 1000), (tree.depth[index] as number) + 1)]
    const count = tree.count[index] as number
    if (count > 1) parts.push(t.calls(f.number(count)))
    if ((tree.errors[index] as number) > 0) parts.push(t.failed)
    return parts.join(' · ')
  }
}
