import { Wrench } from 'lucide-react'
import { useState } from 'react'
import type { Schema } from '@/api/types'
import type { ApiError } from '@/api/request'
import { Badge } from '@/ui/Badge'
import { Button } from '@/ui/Button'
import { JsonBlock } from '@/ui/Code'
import { ErrorMessage } from '@/ui/Feedback'
import styles from './chat.module.css'
import { useMessages } from './messages'
import type { ToolOutcome } from './turn'

type Call = Schema<'ChatToolCall'>

/** A tool call of the model, folded, with its arguments and its result. */
export function ToolCall({ call, outcome }: { call: Call; outcome?: ToolOutcome }) {
  const t = useMessages()
  return (
    <details className={styles.fold}>
      <summary>
        <Wrench size={14} aria-hidden /> {t.toolCall(call.function.name)} {outcome?.isError && <Badge tone="danger">{t.failed}</Badge>}
      </summary>
      <div className={styles.foldBody}>
        <span className={styles.small}>{t.arguments}</span>
        <JsonBlock value={indented(call.function.arguments)} label={t.arguments} />
        {outcome && (
          <>
            <span className={styles.small}>{t.result}</span>
            <JsonBlock value={indented(outcome.content)} label={t.result} />
          </>
        )}
      </div>
    </details>
  )
}

/** The result of a tool call as a message of its own. */
export function ToolResult({ name, content }: { name: string; content: string }) {
  const t = useMessages()
  return (
    <details className={styles.fold}>
      <summary>
        <Wrench size={14} aria-hidden /> {t.resultOf(name)}
      </summary>
      <div className={styles.foldBody}>
        <JsonBlock value={indented(content)} label={t.result} />
      </div>
    </details>
  )
}

/** JSON in lines, anything else as it is. */
function indented(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}

/** Asks for the results of tools that the client runs. */
export function ToolResults({ calls, onSend }: { calls: Call[]; onSend: (results: Schema<'ToolResult'>[]) => Promise<void> }) {
  const t = useMessages()
  const [texts, setTexts] = useState<Record<string, string>>({})
  const [failed, setFailed] = useState<Record<string, boolean>>({})
  const [error, setError] = useState<ApiError | null>(null)
  const [isBusy, setBusy] = useState(false)
  async function submit() {
    setBusy(true)
    setError(null)
    try {
      await onSend(calls.map(({ id }) => ({ tool_call_id: id, content: texts[id] ?? '', is_error: failed[id] ?? false })))
    } catch (cause) {
      setError(cause as ApiError)
      setBusy(false)
    }
  }
  return (
    <form
      className={styles.results}
      onSubmit={(event) => {
        event.preventDefault()
        void submit()
      }}
    >
      <p>{t.waitsForYou}</p>
      {calls.map((call) => (
        <div key={call.id} className={styles.foldBody}>
          <strong>{call.function.name}</strong>
          <JsonBlock value={indented(call.function.arguments)} label={t.arguments} />
          <textarea className={styles.input} rows={3} aria-label={t.resultOf(call.function.name)} placeholder={t.resultOf(call.function.name)} value={texts[call.id] ?? ''} onChange={(event) => setTexts({ ...texts, [call.id]: event.target.value })} />
          <label>
            <input type="checkbox" checked={failed[call.id] ?? false} onChange={(event) => setFailed({ ...failed, [call.id]: event.target.checked })} /> {t.isError}
          </label>
        </div>
      ))}
      {error && <ErrorMessage error={error} />}
      <div>
        <Button look="primary" type="submit" isBusy={isBusy}>
          {t.sendResults}
        </Button>
      </div>
    </form>
  )
}
