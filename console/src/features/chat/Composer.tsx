import { ArrowUp, Paperclip, Square, X } from 'lucide-react'
import { type ClipboardEvent, type DragEvent, type KeyboardEvent, memo, useEffect, useRef, useState } from 'react'
import type { Schema } from '@/api/types'
import { useFormat } from '@/i18n/format'
import { Button, IconButton } from '@/ui/Button'
import { type Attachment, attachmentOf, contentOf, isTooLarge } from './attachments'
import styles from './chat.module.css'
import { useMessages } from './messages'
import { textOf } from './tree'

interface ComposerProps {
  /** What the draft is stored under, so that a reload keeps it. */
  draftKey: string
  isBusy?: boolean
  isDisabled?: boolean
  /** Put back after it was refused. */
  refused?: Schema<'MessageContent'> | null
  onSend: (content: Schema<'MessageContent'>) => void
  onStop?: () => void
}

/** Where a question is written, with its attachments. */
export const Composer = memo(function Composer({ draftKey, isBusy = false, isDisabled = false, refused, onSend, onStop }: ComposerProps) {
  const t = useMessages()
  const f = useFormat()
  const stored = `loam.draft.${draftKey}`
  const [text, setText] = useState(() => sessionStorage.getItem(stored) ?? '')
  const [attachments, setAttachments] = useState<Attachment[]>([])
  const area = useRef<HTMLTextAreaElement>(null)
  const picker = useRef<HTMLInputElement>(null)
  useEffect(() => setText(sessionStorage.getItem(stored) ?? ''), [stored])
  useEffect(() => {
    try {
      if (text) sessionStorage.setItem(stored, text)
      else sessionStorage.removeItem(stored)
    } catch {
      // Too long to be stored: only a reload loses it.
    }
    const element = area.current
    if (!element) return
    element.style.height = 'auto'
    element.style.height = `${element.scrollHeight + 2}px`
  }, [text, stored])
  useEffect(() => {
    if (!refused) return
    setText((current) => current || textOf(refused))
    if (typeof refused !== 'string') setAttachments(refused.filter((part) => part.type !== 'text').map((part) => ({ name: part.type === 'file' ? (part.file.filename ?? part.type) : part.type, size: 0, part })))
  }, [refused])

  // A phone's keyboard has no Shift+Enter, and its screen no room to tell of it.
  const isTouch = matchMedia('(pointer: coarse)').matches
  const content = contentOf(text.trim(), attachments)
  const isLarge = (text.length > 100_000 || attachments.length > 0) && isTooLarge(content)
  const canSend = !isBusy && !isDisabled && !isLarge && (text.trim() !== '' || attachments.length > 0)
  function submit() {
    if (!canSend) return
    onSend(content)
    setText('')
    setAttachments([])
    area.current?.focus()
  }
  function onKey(event: KeyboardEvent) {
    // While an input method composes, Enter chooses its candidate (229 in browsers that end the composition before the key).
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing || event.keyCode === 229) return
    event.preventDefault()
    submit()
  }
  async function add(files: Iterable<File>) {
    const added = await Promise.all([...files].map(attachmentOf))
    setAttachments((previous) => [...previous, ...added])
  }
  function onPaste(event: ClipboardEvent) {
    if (event.clipboardData.files.length === 0) return
    event.preventDefault()
    void add(event.clipboardData.files)
  }
  function onDrop(event: DragEvent) {
    if (event.dataTransfer.files.length === 0) return
    event.preventDefault()
    void add(event.dataTransfer.files)
  }
  return (
    <form
      className={styles.composer}
      onDragOver={(event) => event.preventDefault()}
      onDrop={onDrop}
      onSubmit={(event) => {
        event.preventDefault()
        submit()
      }}
    >
      {attachments.length > 0 && (
        <ul className={styles.attachments}>
          {attachments.map((attachment, index) => (
            <li key={index}>
              {attachment.part.type === 'image_url' && <img src={attachment.part.image_url.url} alt={attachment.name} />}
              <span className={styles.fileName}>{attachment.name}</span>
              {attachment.size > 0 && <span className={styles.small}>{f.bytes(attachment.size)}</span>}
              <IconButton label={t.removeFile(attachment.name)} icon={<X size={14} />} onClick={() => setAttachments(attachments.filter((each) => each !== attachment))} />
            </li>
          ))}
        </ul>
      )}
      {isLarge && (
        <p className={styles.warning} role="alert">
          {t.tooLarge}
        </p>
      )}
      <div className={styles.composerRow}>
        <IconButton label={t.attach} icon={<Paperclip size={17} />} disabled={isDisabled} onClick={() => picker.current?.click()} />
        <input ref={picker} type="file" multiple hidden onChange={(event) => (void add(event.target.files ?? []), (event.target.value = ''))} />
        <textarea ref={area} rows={1} className={styles.area} aria-label={t.ask} placeholder={isTouch ? t.askPlaceholderTouch : t.askPlaceholder} enterKeyHint="send" value={text} disabled={isDisabled} onChange={(event) => setText(event.target.value)} onKeyDown={onKey} onPaste={onPaste} />
        {isBusy && onStop ? (
          <Button icon={<Square size={14} />} onClick={onStop}>
            {t.stop}
          </Button>
        ) : (
          <Button look="primary" type="submit" icon={<ArrowUp size={16} />} disabled={!canSend}>
            {t.send}
          </Button>
        )}
      </div>
    </form>
  )
})
