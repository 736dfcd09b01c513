import { X } from 'lucide-react'
import { useState } from 'react'
import { IconButton } from '@/ui/Button'
import { Badge } from '@/ui/Badge'
import styles from './form.module.css'
import { useFormMessages } from './messages'

interface Sealed {
  sealed: true
  last4?: string | null
}

interface SecretsInputProps {
  id: string
  value: unknown
  onChange: (value: unknown) => void
}

/** A list of secrets: those that are set can be removed, and new ones written, one on each line. */
export function SecretsInput({ id, value, onChange, ...rest }: SecretsInputProps) {
  const t = useFormMessages()
  const [text, setText] = useState('')
  const sealed = Array.isArray(value) ? value.filter((each): each is Sealed => typeof each === 'object') : []
  function change(kept: Sealed[], written: string) {
    const lines = written.split('\n').map((line) => line.trim()).filter(Boolean)
    const all = [...kept, ...lines]
    onChange(all.length > 0 ? all : undefined)
  }
  return (
    <>
      {sealed.length > 0 && (
        <ul className={styles.sealed}>
          {sealed.map((each, index) => (
            <li key={index}>
              <Badge>…{each.last4 ?? '••••'}</Badge>
              <IconButton label={t.removeSecret(each.last4 ?? '')} icon={<X size={14} />} onClick={() => change(sealed.filter((other) => other !== each), text)} />
            </li>
          ))}
        </ul>
      )}
      <textarea
        {...rest}
        id={id}
        className={styles.input}
        rows={2}
        autoComplete="off"
        spellCheck={false}
        placeholder={t.onePerLine}
        value={text}
        onChange={(event) => {
          setText(event.target.value)
          change(sealed, event.target.value)
        }}
      />
    </>
  )
}
