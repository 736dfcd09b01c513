import type { Schema } from '@/api/types'
import { SecretDialog } from '@/ui/SecretDialog'
import { useMessages } from './messages'

/** Shows the signing secret of a channel, with what it is for. */
export function ChannelSecretDialog({ channel, onClose }: { channel: Schema<'ChannelSecretView'>; onClose: () => void }) {
  const t = useMessages()
  return (
    <SecretDialog title={t.secretTitle} secret={channel.signing_secret} onClose={onClose}>
      <p>{t.secretStore}</p>
      {channel.kind === 'telegram' && <p>{t.secretTelegram}</p>}
    </SecretDialog>
  )
}
