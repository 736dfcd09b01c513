import { useDeferredValue, useEffect, useMemo, useRef, useState } from 'react'
import type { Schema } from '@/api/types'
import { FlameGraph } from '@/flame/FlameGraph'
import { merge } from '@/flame/merge'
import { search as searchTree } from '@/flame/tree'
import { TreeTable } from '@/flame/TreeTable'
import { useFormat } from '@/i18n/format'
import { useSearchState } from '@/list/search'
import { Button } from '@/ui/Button'
import { ErrorMessage, Skeleton } from '@/ui/Feedback'
import { Card } from '@/ui/Page'
import { CallDetails } from './CallDetails'
import type { Calls } from './calls'
import { Diagnosis } from './Diagnosis'
import { useMessages } from './messages'
import { Operations } from './Operations'
import styles from './records.module.css'
import { chosenCalls, marksOf } from './selection'
import { useCalls } from './useCalls'

/** The diagnosis of a record and its calls: what is chosen in one part is shown in all. */
export function CallsView({ record }: { record: Schema<'PerformanceRecordView'> }) {
  const [search, setSearch] = useSearchState()
  const { calls, isWhole, error, retry } = useCalls(record)
  const graph = useRef<HTMLDivElement>(null)
  // Adding up the operations must not delay the drawing of the calls.
  const summed = useDeferredValue(isWhole ? calls : null, null)
  function choose(select: string) {
    setSearch({ select, call: undefined, q: undefined }, { push: true })
    graph.current?.scrollIntoView({ block: 'start', behavior: 'smooth' })
  }
  return (
    <>
      <Diagnosis record={record} selected={search.select} onSelect={choose} />
      <div ref={graph} className={styles.anchor}>
        {error && <ErrorMessage error={error} onRetry={retry} />}
        {!calls && !error && <Skeleton lines={10} />}
        {calls && <Graph calls={calls} isWhole={isWhole} record={record} />}
      </div>
      {summed && <Operations calls={summed} selected={search.select} onSelect={choose} onFocus={(call) => setSearch({ call: summed.ids[call], select: undefined }, { push: true })} />}
    </>
  )
}

const URL_PAUSE_MS = 300
const NOTHING: number[] = []

function Graph({ calls, isWhole, record }: { calls: Calls; isWhole: boolean; record: Schema<'PerformanceRecordView'> }) {
  const t = useMessages()
  const f = useFormat()
  const [search, setSearch] = useSearchState()
  const [text, setText] = useState(search.q ?? '')
  const isMerged = search.merged === '1'
  const merged = useMemo(() => (isMerged ? merge(calls) : null), [calls, isMerged])
  const tree = merged?.tree ?? calls
  const chosen = useMemo(() => (search.select ? chosenCalls(calls, record.findings ?? [], search.select) : NOTHING), [calls, record, search.select])
  const [focused, setFocused] = useState(-1)
  const nodeOf = (call: number) => (merged && call >= 0 ? (merged.nodeOf[call] as number) : call)

  useEffect(() => {
    if (search.call && search.call !== calls.ids[focused]) setFocused(calls.ids.indexOf(search.call))
  }, [search.call, calls])
  useEffect(() => {
    if (chosen.length > 0 && !search.call) setFocused(chosen[0] as number)
  }, [chosen])
  // Holding an arrow key down would change the URL too often.
  useEffect(() => {
    const id = calls.ids[focused]
    if (!id || id === search.call) return
    const timer = setTimeout(() => setSearch({ call: id }), URL_PAUSE_MS)
    return () => clearTimeout(timer)
  }, [focused])
  useEffect(() => setText(search.q ?? ''), [search.q])
  useEffect(() => {
    if (text === (search.q ?? '')) return
    const timer = setTimeout(() => setSearch({ q: text || undefined }), URL_PAUSE_MS)
    return () => clearTimeout(timer)
  }, [text])

  const found = useMemo(() => searchTree(tree, text), [tree, text])
  const chosenNodes = useMemo(() => (merged ? [...new Set(chosen.map((call) => merged.nodeOf[call] as number))] : chosen), [merged, chosen])
  const marked = useMemo(() => found ?? marksOf(tree.size, chosenNodes), [found, tree, chosenNodes])
  const summary = useMemo(() => {
    let [count, self] = [0, 0]
    found?.forEach((isFound, node) => {
      if (isFound === 0) return
      count += tree.count[node] as number
      self += tree.self[node] as number
    })
    return { count, self }
  }, [found, tree])
  const focus = (node: number) => setFocused(merged ? (merged.callOf[node] as number) : node)
  return (
    <Card title={t.callsCard}>
      <div className={styles.tools}>
        <input type="search" className={styles.search} aria-label={t.search} placeholder={t.search} value={text} onChange={(event) => setText(event.target.value)} />
        <label className={styles.check}>
          <input type="checkbox" checked={isMerged} onChange={(event) => setSearch({ merged: event.target.checked ? '1' : undefined })} /> {t.merged}
        </label>
        {found && <span role="status">{t.found(f.number(summary.count), f.duration(summary.self * 1000))}</span>}
        {chosen.length > 0 && (
          <span className={styles.chosen}>
            <span role="status">{t.selectedCalls(f.number(chosen.length))}</span>
            <Button look="plain" onClick={() => setFocused(chosen[(chosen.indexOf(focused) + 1) % chosen.length] as number)}>
              {t.nextCall}
            </Button>
            <Button look="plain" onClick={() => setSearch({ select: undefined })}>
              {t.clearSelection}
            </Button>
          </span>
        )}
      </div>
      {!isWhole && <p role="status">{t.loadingRest(f.number(calls.size), f.number(record.call_count))}</p>}
      <FlameGraph tree={tree} focused={nodeOf(focused)} onFocus={focus} marked={marked} onPainted={markPainted} />
      {focused >= 0 && focused < calls.size && <CallDetails calls={calls} index={focused} />}
      <TreeTable tree={tree} isMerged={isMerged} focused={nodeOf(focused)} onFocus={focus} marked={marked} chosen={chosenNodes} />
    </Card>
  )
}

/** Shows in the browser's performance tools when calls are drawn. */
function markPainted(size: number): void {
  performance.mark('calls drawn', { detail: size })
}
