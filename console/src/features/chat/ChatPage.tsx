import { useQueryClient } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { request } from '@/api/request'
import type { Schema } from '@/api/types'
import { FormDialog } from '@/form/FormDialog'
import { useSearchState } from '@/list/search'
import { Column } from './Column'
import { Composer } from './Composer'
import styles from './chat.module.css'
import { useEvent } from './useEvent'
import { leaveQuestion, takeQuestion } from './first'
import { Layout } from './Layout'
import { useMessages } from './messages'
import { type Conversation, useConversation } from './useConversation'
import { useModels } from './useModels'

/** A conversation, or two side by side that are asked the same. */
export default function ChatPage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  const [search] = useSearchState()
  return search.with ? <Pair key={`${id} ${search.with}`} id={id} second={search.with} /> : <Single key={id} id={id} />
}

function Single({ id }: { id: string }) {
  const t = useMessages()
  const conversation = useConversation(id)
  const [, setSearch] = useSearchState()
  const [isComparing, setComparing] = useState(false)
  useFirstQuestion(conversation)
  const compare = useEvent(() => setComparing(true))
  const ask = useEvent((content: Schema<'MessageContent'>) => conversation.ask(content))
  const stop = useEvent(() => void conversation.stop())
  return (
    <Layout title={conversation.session?.title ?? t.title} selected={id}>
      <div className={styles.single}>
        <Column conversation={conversation} onCompare={compare} />
        {!conversation.lock && <Composer draftKey={id} isBusy={conversation.live !== null} isDisabled={!conversation.isLoaded} refused={conversation.unsent} onSend={ask} onStop={stop} />}
      </div>
      {isComparing && conversation.session && <CompareDialog conversation={conversation} session={conversation.session} onClose={() => setComparing(false)} onOpened={(second) => setSearch({ with: second }, { push: true })} />}
    </Layout>
  )
}

function Pair({ id, second }: { id: string; second: string }) {
  const t = useMessages()
  const both = [useConversation(id), useConversation(second)] as const
  const [, setSearch] = useSearchState()
  useFirstQuestion(both[0])
  useFirstQuestion(both[1])
  const writable = both.filter(({ lock }) => !lock)
  const live = both.filter((conversation) => conversation.live !== null)
  const ask = useEvent((content: Schema<'MessageContent'>) => writable.forEach((conversation) => conversation.ask(content)))
  const stop = useEvent(() => live.forEach((conversation) => void conversation.stop()))
  const close = useEvent(() => setSearch({ with: undefined }, { push: true }))
  return (
    <Layout title={both[0].session?.title ?? t.title} selected={id}>
      <div className={styles.single}>
        <div className={styles.pair}>
          <Column conversation={both[0]} />
          <Column conversation={both[1]} onClose={close} />
        </div>
        {writable.length > 0 && (
          <Composer
            draftKey={`${id} ${second}`}
            isBusy={live.length > 0}
            isDisabled={both.some((conversation) => !conversation.isLoaded)}
            refused={both[0].unsent ?? both[1].unsent}
            onSend={ask}
            onStop={stop}
          />
        )}
      </div>
    </Layout>
  )
}

/** Asks the question with which a session was created. */
function useFirstQuestion(conversation: Conversation): void {
  useEffect(() => {
    if (!conversation.isLoaded || conversation.lock) return
    const content = takeQuestion(conversation.id)
    if (content) conversation.ask(content)
  }, [conversation.isLoaded, conversation.id])
}

interface CompareDialogProps {
  conversation: Conversation
  session: Schema<'ChatSessionView'>
  onClose: () => void
  onOpened: (sessionId: string) => void
}

/** Opens a second session with another model, the same system prompt and settings, and the last question. */
function CompareDialog({ conversation, session, onClose, onOpened }: CompareDialogProps) {
  const t = useMessages()
  const client = useQueryClient()
  const { routes, byProvider } = useModels()
  const models = [...routes, ...byProvider.flatMap(([, names]) => names)]
  async function open({ model }: { model?: string }) {
    const { title, system_prompt, project_id } = session
    const second = await request('post', '/api/v1/chat_sessions', { body: { title, system_prompt, project_id, model, metadata: { compared_with: session.id } } })
    const { data } = await request('get', '/api/v1/chat_sessions/{id}/configs', { params: { id: session.id }, query: { limit: 200 } })
    for (const { key, value } of data) {
      if (key === 'tools') await request('put', '/api/v1/chat_sessions/{id}/tools', { params: { id: second.id }, body: { tools: value as Schema<'ToolDeclarationInput'>[] } })
      else await request('put', '/api/v1/chat_sessions/{id}/configs/{key}', { params: { id: second.id, key }, body: { value } })
    }
    const question = conversation.path.findLast(({ role }) => role === 'user')
    if (question) leaveQuestion(second.id, question.content)
    void client.invalidateQueries({ queryKey: ['chat list'] })
    onOpened(second.id)
  }
  return (
    <FormDialog
      title={t.compare}
      action={t.compareAction}
      fields={[{ name: 'model', label: t.secondModel, kind: 'choice', isRequired: true, options: models.map((value) => ({ value, label: value })), initial: models.find((model) => model !== session.model) }]}
      onClose={onClose}
      onSubmit={(body) => open(body as { model?: string })}
    />
  )
}
