import type { ReactNode } from 'react'
import { defineMessages } from '@/i18n/language'
import { Button } from './Button'
import { CodeBlock } from './Code'
import { Dialog } from './Dialog'
import styles from './SecretDialog.module.css'

const useMessages = defineMessages(
  { once: 'Copy it now: it is shown only this once.', done: 'I have stored it' },
  { once: '请立即复制保存：仅显示这一次。', done: '我已保存' },
)

interface SecretDialogProps {
  title: string
  secret: string
  onClose: () => void
  /** How it is used. */
  children?: ReactNode
}

/** Shows a secret that can't be read again. */
export function SecretDialog({ title, secret, onClose, children }: SecretDialogProps) {
  const t = useMessages()
  return (
    <Dialog
      title={title}
      isOpen
      isKept
      onClose={onClose}
      actions={
        <Button look="primary" onClick={onClose}>
          {t.done}
        </Button>
      }
    >
      <div className={styles.content}>
        <p className={styles.once}>
          {t.once}
        </p>
        <CodeBlock code={secret} label={title} />
        {children}
      </div>
    </Dialog>
  )
}
