import type { Schema } from '@/api/types'
import { Button } from '@/ui/Button'
import { CodeBlock } from '@/ui/Code'
import { Dialog } from '@/ui/Dialog'
import styles from './channels.module.css'
import { useMessages } from './messages'

/** Shows a signing secret, which the API tells only once. */
export function SecretDialog({ channel, onClose }: { channel: Schema<'ChannelSecretView'>; onClose: () => void }) {
  const t = useMessages()
  return (
    <Dialog
      title={t.secretTitle}
      description={t.secretStore}
      isOpen
      onClose={onClose}
      actions={
        <Button look="primary" onClick={onClose}>
          {t.isStored}
        </Button>
      }
    >
      <div className={styles.stack}>
        <CodeBlock code={channel.signing_secret} label={t.secret} />
        {channel.kind === 'telegram' && <p>{t.secretTelegram}</p>}
      </div>
    </Dialog>
  )
}
