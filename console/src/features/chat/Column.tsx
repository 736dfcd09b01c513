import { useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { ArrowLeft, X } from 'lucide-react'
import { memo } from 'react'
import { useRead } from '@/api/hooks'
import { request } from '@/api/request'
import { useCan } from '@/api/session'
import { Button, IconButton } from '@/ui/Button'
import { ErrorMessage } from '@/ui/Feedback'
import styles from './chat.module.css'
import { MessageList } from './MessageList'
import { useMessages } from './messages'
import { ModelChoice } from './ModelChoice'
import { SessionMenu } from './SessionMenu'
import type { Conversation } from './useConversation'

interface ColumnProps {
  conversation: Conversation
  onCompare?: () => void
  onClose?: () => void
}

/** A conversation with its title, its model and its messages. */
export function Column({ conversation, onCompare, onClose }: ColumnProps) {
  const t = useMessages()
  const { id, session, lock, problem } = conversation
  return (
    <section className={styles.column} aria-label={session?.title ?? t.title}>
      <Head id={id} session={session} isLocked={lock !== null} onCompare={onCompare} onClose={onClose} />
      {conversation.sessionError && !session && <ErrorMessage error={conversation.sessionError} />}
      <MessageList conversation={conversation} />
      {problem && !conversation.live && (
        <div className={styles.problem} role="alert">
          {problem.code === 'interrupted' ? t.interrupted : problem.message} {problem.code !== 'interrupted' && <code>{problem.code}</code>}
        </div>
      )}
      {lock && <Locked conversation={conversation} />}
    </section>
  )
}

interface HeadProps {
  id: string
  session: Conversation['session']
  isLocked: boolean
  onCompare?: () => void
  onClose?: () => void
}

const Head = memo(function Head({ id, session, isLocked, onCompare, onClose }: HeadProps) {
  const t = useMessages()
  const client = useQueryClient()
  async function setModel(model: string) {
    await request('patch', '/api/v1/chat_sessions/{id}', { params: { id }, body: { model: model || null, provider_id: null } })
    await client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] === 'chat list' || queryKey[0] === '/api/v1/chat_sessions/{id}' })
  }
  return (
    <header className={styles.head}>
      {!onClose && (
        <Link to="/chat" className={styles.back} aria-label={t.showList}>
          <ArrowLeft size={18} />
        </Link>
      )}
      <h1 className={styles.title}>{session ? session.title || t.untitled : t.title}</h1>
      {session && <ModelChoice label={t.model} value={session.model ?? ''} none={t.defaultModel} isDisabled={isLocked} onChange={(model) => void setModel(model)} />}
      {session && <SessionMenu session={session} isLocked={isLocked} onCompare={onCompare} />}
      {onClose && <IconButton label={t.closeColumn} icon={<X size={17} />} onClick={onClose} />}
    </header>
  )
})

/** Why a conversation can only be read. */
function Locked({ conversation }: { conversation: Conversation }) {
  const t = useMessages()
  const can = useCan()
  const client = useQueryClient()
  const { session, lock } = conversation
  const owner = useRead('/api/v1/users/{id}', { params: { id: session?.user_id ?? '' } }, { enabled: lock === 'other' && can('users:read') })
  async function reactivate() {
    await request('patch', '/api/v1/chat_sessions/{id}', { params: { id: conversation.id }, body: { status: 'active' } })
    await client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] === 'chat list' || queryKey[0] === '/api/v1/chat_sessions/{id}' })
  }
  return (
    <div className={styles.lock}>
      {lock === 'other' && t.lockedOther(owner.data?.full_name || owner.data?.username || t.anotherUser)}
      {lock === 'permission' && t.lockedPermission}
      {lock === 'archived' && (
        <>
          {t.lockedArchived} {can('chat_sessions:write') && <Button onClick={() => void reactivate()}>{t.reactivate}</Button>}
        </>
      )}
    </div>
  )
}
