import { Check, Copy } from 'lucide-react'
import { useState } from 'react'
import { IconButton } from './Button'
import styles from './Code.module.css'
import { useUiMessages } from './messages'
import { shortId } from '@/i18n/format'

/** Copies a text, and says so. */
export function CopyButton({ text, label }: { text: string; label?: string }) {
  const t = useUiMessages()
  const [isCopied, setCopied] = useState(false)
  async function copy() {
    await copyText(text)
    setCopied(true)
    setTimeout(() => setCopied(false), 1500)
  }
  return <IconButton label={isCopied ? t.copied : (label ?? t.copy)} icon={isCopied ? <Check size={15} /> : <Copy size={15} />} onClick={copy} className={styles.copy} />
}

export async function copyText(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text)
  // Pages over plain HTTP have no clipboard, except those of this machine.
  const area = document.createElement('textarea')
  area.value = text
  document.body.append(area)
  area.select()
  document.execCommand('copy')
  area.remove()
}

/** Text in a fixed-width font that can be copied. */
export function CodeBlock({ code, label }: { code: string; label?: string }) {
  return (
    <div className={styles.block}>
      <pre className={styles.pre} tabIndex={0} aria-label={label}>
        <code>{code}</code>
      </pre>
      <CopyButton text={code} />
    </div>
  )
}

/** An id, shortened to its end, which is copied whole. */
export function Id({ id }: { id: string }) {
  return (
    <span className={styles.id}>
      <code title={id}>{id.length > 14 ? shortId(id) : id}</code>
      <CopyButton text={id} />
    </span>
  )
}

/** A value as indented JSON. */
export function JsonBlock({ value, label }: { value: unknown; label?: string }) {
  return <CodeBlock code={typeof value === 'string' ? value : JSON.stringify(value, null, 2)} label={label} />
}
