import { Link } from '@tanstack/react-router'
import { Brain, ChevronLeft, ChevronRight, Ellipsis, ExternalLink, Pencil, RotateCcw, Trash2 } from 'lucide-react'
import { memo, useState } from 'react'
import { useFormat } from '@/i18n/format'
import { classes } from '@/ui/classes'
import { Button, IconButton } from '@/ui/Button'
import { CopyButton } from '@/ui/Code'
import { Menu, type MenuItem } from '@/ui/Menu'
import styles from './chat.module.css'
import { Content } from './Content'
import { useMessages } from './messages'
import { Reasoning } from './Reasoning'
import { ToolCall, ToolResult } from './ToolCalls'
import { type Message, textOf } from './tree'
import { useUiMessages } from '@/ui/messages'

/** What can be done with messages; the same object while the conversation is the same. */
export interface MessageActions {
  showBranch: (messageId: string) => void
  edit: (message: Message, text: string) => void
  regenerate: (message: Message) => void
  remove: (message: Message) => void
  loadReasoning: (message: Message) => Promise<string>
}

interface MessageRowProps {
  message: Message
  previousId: string | null
  nextId: string | null
  index: number
  count: number
  cost: number | null
  reasoning: string | undefined
  toolName: string | undefined
  isLocked: boolean
  /** No answer follows, and none arrives. */
  isUnanswered: boolean
  actions: MessageActions
}

/** A stored message with what can be done with it. */
export const MessageRow = memo(function MessageRow(props: MessageRowProps) {
  const { message, cost, actions, isLocked } = props
  const t = useMessages()
  const f = useFormat()
  const [isEditing, setEditing] = useState(false)
  const [loaded, setLoaded] = useState<string | null>(null)
  const reasoning = props.reasoning ?? loaded
  const text = textOf(message.content)
  const isUser = message.role === 'user'
  const isAnswer = message.role === 'assistant'
  const finish = message.finish_reason && message.finish_reason in t.finish ? t.finish[message.finish_reason as keyof typeof t.finish] : null
  const items: MenuItem[] = []
  if (isAnswer && message.turn_id && !reasoning) items.push({ label: t.showReasoning, icon: <Brain size={16} />, onSelect: () => void actions.loadReasoning(message).then(setLoaded) })
  if (!isLocked && !message.deleted_at) items.push({ label: t.deleteMessage, icon: <Trash2 size={16} />, isDangerous: true, onSelect: () => actions.remove(message) })

  if (message.role === 'tool') {
    return (
      <article className={styles.message} aria-label={t.toolResult}>
        <ToolResult name={props.toolName ?? ''} content={text} />
      </article>
    )
  }
  return (
    <article className={classes(styles.message, isUser && styles.question, message.role === 'system' && styles.systemMessage)} aria-label={isUser ? t.you : isAnswer ? t.assistant : t.system} data-message={message.id}>
      {message.role === 'system' && <span className={styles.small}>{t.system}</span>}
      {reasoning && <Reasoning text={reasoning} />}
      {loaded === '' && <p className={styles.small}>{t.noReasoning}</p>}
      {isEditing ? (
        <EditForm
          text={text}
          onCancel={() => setEditing(false)}
          onAsk={(changed) => {
            setEditing(false)
            actions.edit(message, changed)
          }}
        />
      ) : (
        <div className={styles.bubble}>{message.deleted_at ? <p className={styles.small}>{t.deleted}</p> : <Content content={message.content} />}</div>
      )}
      {message.tool_calls?.map((call) => <ToolCall key={call.id} call={call} />)}
      {finish && <p className={styles.small}>{finish}</p>}
      <div className={styles.tools}>
        {props.count > 1 && (
          <span className={styles.branches}>
            <IconButton label={t.previousBranch} icon={<ChevronLeft size={15} />} disabled={!props.previousId} onClick={() => props.previousId && actions.showBranch(props.previousId)} />
            <span aria-label={t.branch(props.index, props.count)} role="img">
              {props.index}/{props.count}
            </span>
            <IconButton label={t.nextBranch} icon={<ChevronRight size={15} />} disabled={!props.nextId} onClick={() => props.nextId && actions.showBranch(props.nextId)} />
          </span>
        )}
        {text && <CopyButton text={text} label={isUser ? t.copyQuestion : t.copyAnswer} />}
        {isUser && !isLocked && !isEditing && <IconButton label={t.edit} icon={<Pencil size={14} />} onClick={() => setEditing(true)} />}
        {isAnswer && !isLocked && message.turn_id && <IconButton label={t.regenerate} icon={<RotateCcw size={14} />} onClick={() => actions.regenerate(message)} />}
        {items.length > 0 && <Menu trigger={<IconButton label={t.more} icon={<Ellipsis size={15} />} />} groups={[{ items }]} />}
        {isAnswer && (
          <span className={styles.small}>
            {message.model}
            {message.completion_tokens !== null && ` · ${t.tokens(f.number(message.prompt_tokens), f.number(message.completion_tokens))}`}
            {cost !== null && ` · ${f.money(cost)}`}
          </span>
        )}
        {message.llm_call_id && (
          <Link to={`/calls/${message.llm_call_id}`} className={styles.callLink}>
            {t.call} <ExternalLink size={12} aria-hidden />
          </Link>
        )}
      </div>
      {props.isUnanswered && isUser && !isLocked && message.turn_id && (
        <div>
          <Button icon={<RotateCcw size={15} />} onClick={() => actions.regenerate(message)}>
            {t.answerAgain}
          </Button>
        </div>
      )}
    </article>
  )
})

function EditForm({ text, onCancel, onAsk }: { text: string; onCancel: () => void; onAsk: (text: string) => void }) {
  const t = useMessages()
  const ui = useUiMessages()
  const [changed, setChanged] = useState(text)
  return (
    <form
      className={styles.editForm}
      onSubmit={(event) => {
        event.preventDefault()
        if (changed.trim()) onAsk(changed.trim())
      }}
    >
      <textarea className={styles.input} autoFocus rows={Math.min(12, changed.split('\n').length + 1)} aria-label={t.edit} value={changed} onChange={(event) => setChanged(event.target.value)} onKeyDown={(event) => event.key === 'Escape' && onCancel()} />
      <div className={styles.editButtons}>
        <Button onClick={onCancel}>{ui.cancel}</Button>
        <Button look="primary" type="submit">
          {t.askAgain}
        </Button>
      </div>
    </form>
  )
}
