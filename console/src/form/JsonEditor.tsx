import { useEffect, useId, useRef } from 'react'
import { Button } from '@/ui/Button'
import { classes } from '@/ui/classes'
import styles from './JsonEditor.module.css'
import { placeOf, syntaxError } from './jsonPlace'
import { useFormMessages } from './messages'

interface JsonEditorProps {
  label: string
  text: string
  onChange: (text: string) => void
  /** What is wrong with the value at a path. */
  error?: { path: string | null; message: string }
  rows?: number
}

/** A JSON text with numbers of lines. An error stands below it, and its line is marked. */
export function JsonEditor({ label, text, onChange, error, rows = 20 }: JsonEditorProps) {
  const t = useFormMessages()
  const id = useId()
  const area = useRef<HTMLTextAreaElement>(null)
  const numbers = useRef<HTMLDivElement>(null)
  const syntax = syntaxError(text)
  const place = !syntax && error?.path ? placeOf(text, error.path) : null
  const line = syntax?.line ?? place?.line
  const count = text.split('\n').length

  function show() {
    const element = area.current
    if (!element || line === undefined) return
    const start = text.split('\n').slice(0, line - 1).join('\n').length + (line > 1 ? 1 : 0)
    element.focus()
    if (place) element.setSelectionRange(place.start, place.end)
    else element.setSelectionRange(start, start + (text.split('\n')[line - 1]?.length ?? 0))
    const height = element.scrollHeight / count
    element.scrollTop = Math.max(0, (line - 4) * height)
  }
  // An error that has just come is brought into view, without taking the focus.
  useEffect(() => {
    const element = area.current
    if (element && place) element.scrollTop = Math.max(0, (place.line - 4) * (element.scrollHeight / count))
  }, [error?.path, error?.message])

  return (
    <div className={styles.editor}>
      <label htmlFor={id} className="visually-hidden">
        {label}
      </label>
      <div className={styles.frame}>
        <div ref={numbers} className={styles.numbers} aria-hidden>
          {Array.from({ length: count }, (_, index) => (
            <div key={index} className={classes(index + 1 === line && styles.marked)}>
              {index + 1}
            </div>
          ))}
        </div>
        <textarea
          ref={area}
          id={id}
          className={styles.text}
          rows={Math.min(rows, Math.max(6, count + 1))}
          wrap="off"
          spellCheck={false}
          autoComplete="off"
          value={text}
          aria-invalid={line !== undefined || undefined}
          aria-describedby={syntax || error ? `${id}-error` : undefined}
          onChange={(event) => onChange(event.target.value)}
          onScroll={(event) => {
            if (numbers.current) numbers.current.scrollTop = event.currentTarget.scrollTop
          }}
        />
      </div>
      {(syntax || error) && (
        <div id={`${id}-error`} className={styles.error} role="alert">
          <span>
            {!syntax && error?.path && <code>{error.path}</code>} {syntax ? `${t.notJson} ${syntax.message}` : error?.message}
          </span>
          {line !== undefined && <Button onClick={show}>{t.goToLine(line)}</Button>}
        </div>
      )}
    </div>
  )
}
