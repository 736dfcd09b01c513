import { useFlameMessages } from '@/flame/messages'
import { labelOf } from '@/flame/tree'
import { useFormat } from '@/i18n/format'
import { useUiMessages } from '@/ui/messages'
import { Facts } from '@/ui/Page'
import type { Calls } from './calls'
import { useMessages } from './messages'
import styles from './records.module.css'

/** All that is known about one call. */
export function CallDetails({ calls, index }: { calls: Calls; index: number }) {
  const t = useMessages()
  const flame = useFlameMessages()
  const ui = useUiMessages()
  const f = useFormat()
  const label = labelOf(calls, index)
  const ms = (seconds: number | undefined) => f.duration((seconds ?? 0) * 1000)
  const [memory, cpu] = [calls.memory[index] as number, calls.cpu[index] as number]
  return (
    <div className={styles.details}>
      <h3>
        <code>{label.name}</code>
      </h3>
      <Facts
        facts={[
          [flame.kinds[label.kind], ms(calls.total[index])],
          [t.selfTime, ms(calls.self[index])],
          [t.start, `+${ms(calls.start[index])}`],
          [t.statement, label.statement && <code>{label.statement}</code>],
          [t.rows, (calls.rows[index] as number) >= 0 && f.number(calls.rows[index])],
          [t.hit, (calls.hit[index] as number) >= 0 && (calls.hit[index] === 1 ? ui.yes : ui.no)],
          [t.cpuTime, !Number.isNaN(cpu) && ms(cpu)],
          [t.memoryDelta, !Number.isNaN(memory) && f.bytes(memory)],
          [t.location, label.place && <code>{label.place}</code>],
          [t.exception, calls.exceptions.get(index)],
        ]}
      />
    </div>
  )
}
