import { Toast } from '@base-ui/react/toast'
import { X } from 'lucide-react'
import { IconButton } from './Button'
import { useUiMessages } from './messages'
import styles from './Toasts.module.css'

const manager = Toast.createToastManager()

/** Says in a corner of the page that something has happened. */
export function notify(text: string): void {
  manager.add({ title: text, timeout: 4000 })
}

function List() {
  const t = useUiMessages()
  const { toasts } = Toast.useToastManager()
  return toasts.map((toast) => (
    <Toast.Root key={toast.id} toast={toast} className={styles.toast}>
      <Toast.Content className={styles.content}>
        <Toast.Title className={styles.title} />
        <Toast.Close render={<IconButton label={t.dismiss} icon={<X size={16} />} />} />
      </Toast.Content>
    </Toast.Root>
  ))
}

/** Where the notices of `notify` appear. */
export function Toasts() {
  return (
    <Toast.Provider toastManager={manager}>
      <Toast.Portal>
        <Toast.Viewport className={styles.viewport}>
          <List />
        </Toast.Viewport>
      </Toast.Portal>
    </Toast.Provider>
  )
}
