import { Dialog as Base } from '@base-ui/react/dialog'
import { X } from 'lucide-react'
import { type ReactNode, useEffect, useRef, useState } from 'react'
import type { ApiError } from '@/api/request'
import { Button, IconButton } from './Button'
import { classes } from './classes'
import styles from './Dialog.module.css'
import { ErrorMessage } from './Feedback'
import { useUiMessages } from './messages'

interface DialogProps {
  title: string
  description?: string
  isOpen: boolean
  onClose: () => void
  children: ReactNode
  /** It closes by its buttons alone. */
  isKept?: boolean
  /** Buttons at its lower edge. */
  actions?: ReactNode
  /** `wide` for forms with much in them, `drawer` for navigation at the left edge. */
  size?: 'normal' | 'wide' | 'drawer'
}

/** A window above the page, which keeps the focus until it closes. */
export function Dialog({ title, description, isOpen, onClose, isKept, children, actions, size = 'normal' }: DialogProps) {
  const t = useUiMessages()
  const popup = useRef<HTMLDivElement>(null)
  /** The first field; of a question the first answer, which undoes nothing. */
  const first = () => popup.current?.querySelector<HTMLElement>('input:not([disabled]), select, textarea') ?? popup.current?.querySelector<HTMLElement>(`.${styles.actions} button`) ?? true
  return (
    <Base.Root open={isOpen} onOpenChange={(open) => !open && !isKept && onClose()}>
      <Base.Portal>
        <Base.Backdrop className={styles.backdrop} />
        <Base.Popup ref={popup} initialFocus={first} className={classes(styles.popup, styles[size])}>
          <div className={styles.head}>
            <Base.Title className={styles.title}>{title}</Base.Title>
            <IconButton label={t.close} icon={<X size={18} />} onClick={onClose} />
          </div>
          {description && <Base.Description className={styles.description}>{description}</Base.Description>}
          <div className={styles.body}>{children}</div>
          {actions && <div className={styles.actions}>{actions}</div>}
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  )
}

interface ConfirmProps {
  title: string
  /** What happens, and whether it can be undone. */
  description: string
  action: string
  isOpen: boolean
  onClose: () => void
  onConfirm: () => Promise<unknown>
}

/** Asks before something is done that can't be undone. */
export function ConfirmDialog({ title, description, action, isOpen, onClose, onConfirm }: ConfirmProps) {
  const t = useUiMessages()
  const [isBusy, setBusy] = useState(false)
  const [error, setError] = useState<ApiError | null>(null)
  useEffect(() => setError(null), [isOpen])
  async function confirm() {
    setBusy(true)
    setError(null)
    try {
      await onConfirm()
      onClose()
    } catch (cause) {
      setError(cause as ApiError)
    } finally {
      setBusy(false)
    }
  }
  return (
    <Dialog
      title={title}
      description={description}
      isOpen={isOpen}
      // Its end closes it: another window may be open by then.
      onClose={isBusy ? () => undefined : onClose}
      actions={
        <>
          <Button disabled={isBusy} onClick={onClose}>
            {t.cancel}
          </Button>
          <Button look="danger" isBusy={isBusy} onClick={confirm}>
            {action}
          </Button>
        </>
      }
    >
      {error && <ErrorMessage error={error} />}
    </Dialog>
  )
}
