import type { Schema } from '@/api/types'
import { ProjectName } from '@/list/Names'
import { Badge } from '@/ui/Badge'
import { CodeBlock, Id } from '@/ui/Code'
import { Card, Facts } from '@/ui/Page'
import { DateTime } from '@/ui/Time'
import { useUiMessages } from '@/ui/messages'
import styles from './channels.module.css'
import { senderProgram } from './fields'
import { useMessages } from './messages'

interface OverviewProps {
  channel: Schema<'ChannelView'>
  /** What connecting has told about the address. */
  connection: Schema<'ChannelConnection'> | null
}

/** How a channel is connected, how it replies, and where its messages arrive. */
export function Overview({ channel, connection }: OverviewProps) {
  const t = useMessages()
  const ui = useUiMessages()
  const { settings } = channel
  const config = channel.config as { url?: string; api_url?: string }
  const address = connection?.url ?? `${location.origin}/api/v1/channels/${channel.id}/events`
  const yesNo = (value: boolean) => (value ? ui.yes : ui.no)
  return (
    <div className={styles.stack}>
      <Card>
        <Facts
          facts={[
            [t.state, <Badge tone={channel.is_active ? 'success' : 'neutral'}>{channel.is_active ? t.active : t.inactive}</Badge>],
            [t.kind, t.kinds[channel.kind]],
            ['ID', <Id id={channel.id} />],
            [t.url, config.url],
            [t.apiUrl, config.api_url],
            [t.secret, channel.secret.last4 && <code>…{channel.secret.last4}</code>],
            [t.oldUntil, channel.old_secret_until && <DateTime at={channel.old_secret_until} />],
            [t.project, channel.project_id && <ProjectName id={channel.project_id} />],
            [t.created, <DateTime at={channel.created_at} />],
          ]}
        />
      </Card>
      <Card title={t.incoming}>
        <p>{t.incomingHelp[channel.kind]}</p>
        <CodeBlock code={address} label={t.incoming} />
        {!connection?.url && <p className={styles.help}>{t.addressGuess}</p>}
        {channel.kind === 'webhook' && (
          <details>
            <summary>{t.snippet}</summary>
            <CodeBlock code={senderProgram(address)} label={t.snippet} />
          </details>
        )}
      </Card>
      <Card title={t.replies}>
        <Facts
          facts={[
            [t.autoReply, yesNo(settings.auto_reply)],
            [t.model, settings.model ?? t.defaultModel],
            [t.replyTimeout, settings.reply_timeout],
            [t.failureText, settings.failure_text],
            [t.provisionUsers, yesNo(settings.provision_users)],
          ]}
        />
        {settings.system_prompt && (
          <div>
            <h3>{t.systemPrompt}</h3>
            <p className={styles.prompt}>{settings.system_prompt}</p>
          </div>
        )}
      </Card>
    </div>
  )
}
