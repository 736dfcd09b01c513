import { useState } from 'react'
import { CopyButton } from '@/ui/Code'
import styles from './errors.module.css'
import { useMessages } from './messages'
import { readTrace } from './trace'

/** A stack trace, in which the application's own code stands out. */
export function StackTrace({ text }: { text: string }) {
  const t = useMessages()
  const [isOnlyOwn, setOnlyOwn] = useState(false)
  const lines = readTrace(text)
  const hasBoth = lines.some((line) => line.isOwn) && lines.some((line) => line.kind === 'frame' && !line.isOwn)
  const shown = isOnlyOwn ? lines.filter((line) => line.isOwn || line.kind === 'other') : lines
  return (
    <div className={styles.stack}>
      <div className={styles.stackHead}>
        {hasBoth ? <span>{t.stackHelp}</span> : <span />}
        <span>
          {hasBoth && (
            <label>
              <input type="checkbox" checked={isOnlyOwn} onChange={(event) => setOnlyOwn(event.target.checked)} /> {t.onlyOwn}
            </label>
          )}
          <CopyButton text={text} />
        </span>
      </div>
      <pre className={styles.lines} tabIndex={0} role="region" aria-label={t.stack}>
        <code>
          {shown.map((line, index) => (
            <span key={index} className={line.isOwn ? styles.own : styles.line}>
              {line.text || ' '}
            </span>
          ))}
        </code>
      </pre>
    </div>
  )
}
