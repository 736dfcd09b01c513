import { Check, Copy } from 'lucide-react'
import { useState } from 'react'
import { copyText } from '@/ui/Code'
import { useUiMessages } from '@/ui/messages'
import styles from './Markdown.module.css'

/** Copies a block of code. A long answer has hundreds: it is a plain button, without a tooltip of the library. */
export function CopyCode({ code }: { code: string }) {
  const t = useUiMessages()
  const [isCopied, setCopied] = useState(false)
  async function copy() {
    await copyText(code)
    setCopied(true)
    setTimeout(() => setCopied(false), 1500)
  }
  const label = isCopied ? t.copied : t.copy
  return (
    <button type="button" className={styles.copy} aria-label={label} title={label} onClick={() => void copy()}>
      {isCopied ? <Check size={15} /> : <Copy size={15} />}
    </button>
  )
}
