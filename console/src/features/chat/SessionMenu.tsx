import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { Archive, Columns2, Download, Ellipsis, Link as LinkIcon, Pencil, Settings2, Trash2, Waypoints, Wrench } from 'lucide-react'
import { useState } from 'react'
import { type ApiError, request } from '@/api/request'
import { useCan } from '@/api/session'
import type { Schema } from '@/api/types'
import { FormDialog } from '@/form/FormDialog'
import { IconButton } from '@/ui/Button'
import { ConfirmDialog } from '@/ui/Dialog'
import { Menu, type MenuItem } from '@/ui/Menu'
import { notify } from '@/ui/Toasts'
import { exportSession } from './exportSession'
import { useMessages } from './messages'
import { SettingsDialog } from './SettingsDialog'

interface SessionMenuProps {
  session: Schema<'ChatSessionView'>
  isLocked: boolean
  /** Opens a second model beside this one, where there is room for it. */
  onCompare?: () => void
}

/** What can be done with a session. */
export function SessionMenu({ session, isLocked, onCompare }: SessionMenuProps) {
  const t = useMessages()
  const can = useCan()
  const client = useQueryClient()
  const navigate = useNavigate()
  const [dialog, setDialog] = useState<'rename' | 'settings' | 'delete' | null>(null)
  const close = () => setDialog(null)
  async function update(body: Schema<'ChatSessionUpdate'>) {
    await request('patch', '/api/v1/chat_sessions/{id}', { params: { id: session.id }, body })
    await reread()
  }
  const reread = () => client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] === 'chat list' || queryKey[0] === '/api/v1/chat_sessions/{id}' })
  async function copyLink() {
    await navigator.clipboard.writeText(`${location.origin}/console/chat/${session.id}`)
    notify(t.linkCopied)
  }
  const change: MenuItem[] = [
    { label: t.rename, icon: <Pencil size={16} />, onSelect: () => setDialog('rename') },
    { label: t.settings, icon: <Settings2 size={16} />, onSelect: () => setDialog('settings') },
  ]
  if (onCompare) change.push({ label: t.compare, icon: <Columns2 size={16} />, onSelect: onCompare })
  const use: MenuItem[] = [
    { label: t.copyLink, icon: <LinkIcon size={16} />, onSelect: () => void copyLink() },
    { label: t.export, icon: <Download size={16} />, onSelect: () => void exportSession(session).catch((error: ApiError) => notify(error.message)) },
  ]
  if (can('llm_calls:read')) use.push({ label: t.calls, icon: <Waypoints size={16} />, onSelect: () => void navigate({ to: '/calls', search: { session_id: session.id } } as never) })
  if (can('tool_calls:read')) use.push({ label: t.toolCalls, icon: <Wrench size={16} />, onSelect: () => void navigate({ to: '/tool-calls', search: { session_id: session.id } } as never) })
  const end: MenuItem[] = [
    { label: session.is_active ? t.archive : t.reactivate, icon: <Archive size={16} />, onSelect: () => void update({ status: session.is_active ? 'archived' : 'active' }) },
    { label: t.delete, icon: <Trash2 size={16} />, isDangerous: true, onSelect: () => setDialog('delete') },
  ]
  const mayChange = can('chat_sessions:write')
  return (
    <>
      <Menu trigger={<IconButton label={t.actions} icon={<Ellipsis size={17} />} />} groups={[...(mayChange && !isLocked ? [{ items: change }] : []), { items: use }, ...(mayChange ? [{ items: end }] : [])]} />
      {dialog === 'rename' && <FormDialog title={t.rename} fields={[{ name: 'title', label: t.name, isRequired: true }]} existing={session} onClose={close} onSubmit={(body) => update(body as Schema<'ChatSessionUpdate'>)} />}
      {dialog === 'settings' && <SettingsDialog session={session} onClose={close} />}
      <ConfirmDialog
        title={t.deleteTitle}
        description={t.deleteHint}
        action={t.delete}
        isOpen={dialog === 'delete'}
        onClose={close}
        onConfirm={async () => {
          await request('delete', '/api/v1/chat_sessions/{id}', { params: { id: session.id } })
          void navigate({ to: '/chat' } as never)
          await client.invalidateQueries({ queryKey: ['chat list'] })
        }}
      />
    </>
  )
}
