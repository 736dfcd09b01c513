import { Link } from '@tanstack/react-router'
import { Send } from 'lucide-react'
import { useState } from 'react'
import { useChange } from '@/api/hooks'
import { useCan } from '@/api/session'
import type { Schema } from '@/api/types'
import { FormDialog } from '@/form/FormDialog'
import type { Column } from '@/list/DataTable'
import { ResourceList } from '@/list/ResourceList'
import { Badge } from '@/ui/Badge'
import { IconButton } from '@/ui/Button'
import { Empty } from '@/ui/Feedback'
import { Time } from '@/ui/Time'
import { notify } from '@/ui/Toasts'
import { useMessages } from './messages'

type Chat = Schema<'ChannelChatView'>

const REFRESH_MS = 5_000

/** The chats of a channel, each with its session, and a way to write to it. */
export function Chats({ channelId }: { channelId: string }) {
  const t = useMessages()
  const can = useCan()
  const [chat, setChat] = useState<Chat | null>(null)
  const send = useChange('post', '/api/v1/channels/{id}/send', ['/api/v1/channels', '/api/v1/webhook_deliveries'])
  const columns: Column<Chat>[] = [
    { id: 'chat', header: t.chat, cell: (row) => <span><code>{row.external_id}</code> {row.is_group && <Badge>{t.group}</Badge>}</span>, value: (row) => row.external_id },
    { id: 'title', header: t.chatTitle, cell: (row) => row.title ?? '', value: (row) => row.title },
    { id: 'session', header: t.session, cell: (row) => <Link to={`/chat/${row.session_id}`}>{t.open}</Link>, value: (row) => row.session_id },
    { id: 'updated', header: t.updated, cell: (row) => <Time at={row.updated_at} />, value: (row) => row.updated_at },
  ]
  return (
    <>
      <ResourceList
        path="/api/v1/channels/{id}/chats"
        params={{ id: channelId }}
        label={t.chats}
        columns={columns}
        filters={[{ name: 'external_id', label: t.chat }]}
        rowKey={(row) => row.id}
        rowActions={can('channels:write') ? (row) => <IconButton label={t.sendTo(row.title ?? row.external_id)} icon={<Send size={16} />} onClick={() => setChat(row)} /> : undefined}
        refresh={REFRESH_MS}
        empty={<Empty title={t.noChats}>{t.noChatsHint}</Empty>}
      />
      {chat && (
        <FormDialog
          title={t.sendTo(chat.title ?? chat.external_id)}
          action={t.send}
          fields={[
            { name: 'text', label: t.text, kind: 'multiline', isRequired: true },
            { name: 'reply_to', label: t.replyTo },
          ]}
          onClose={() => setChat(null)}
          onSubmit={async (body) => {
            const { delivery_ids } = await send.mutateAsync({ params: { id: channelId }, body: { ...body, chat_id: chat.external_id } as Schema<'ChannelSend'> })
            notify(delivery_ids.length > 0 ? t.isSent : t.isStoredOnly)
          }}
        />
      )}
    </>
  )
}
