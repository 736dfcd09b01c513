import { useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { ArrowLeft } from 'lucide-react'
import { useEffect, useMemo, useState } from 'react'
import { useRead } from '@/api/hooks'
import { modelForChat } from '@/api/models'
import { type ApiError, request } from '@/api/request'
import { useCan, useSession } from '@/api/session'
import type { Schema } from '@/api/types'
import { useSearchState } from '@/list/search'
import { ErrorMessage } from '@/ui/Feedback'
import styles from './chat.module.css'
import { Composer } from './Composer'
import { leaveQuestion } from './first'
import { Layout } from './Layout'
import { useMessages } from './messages'
import { ModelChoice } from './ModelChoice'
import { replayOf } from './replay'
import { textOf } from './tree'
import { useModels } from './useModels'

const STORED_MODEL = 'loam.chat.model'
const TITLE_LENGTH = 60

/** Where a conversation begins: it is created with its first question. */
export default function NewChatPage() {
  const t = useMessages()
  const can = useCan()
  const client = useQueryClient()
  const navigate = useNavigate()
  const { projectId } = useSession()
  const [search] = useSearchState()
  const models = useModels()
  const [chosen, setChosen] = useState(() => localStorage.getItem(STORED_MODEL))
  const [second, setSecond] = useState('')
  const [systemPrompt, setSystemPrompt] = useState('')
  const [error, setError] = useState<ApiError | null>(null)
  const [refused, setRefused] = useState<Schema<'MessageContent'> | null>(null)
  const [isBusy, setBusy] = useState(false)
  // A call that is replayed: its messages are added before its question is asked again.
  const call = useRead('/api/v1/llm_calls/{id}', { params: { id: search.call ?? '' } }, { enabled: Boolean(search.call) && can('llm_calls:read') })
  const replay = useMemo(() => (search.call && call.data ? replayOf(call.data) : null), [search.call, call.data])
  useEffect(() => {
    if (!replay) return
    setChosen(replay.model)
    setSystemPrompt(replay.systemPrompt)
    setRefused(replay.question)
  }, [replay])
  const known = [...models.routes, ...models.byProvider.flatMap(([, names]) => names)]
  // What was chosen in another tenant may not be there; a replayed call names its own.
  const isThere = chosen !== null && (chosen === '' || replay !== null || known.includes(chosen))
  const model = isThere ? chosen : (models.routes[0] ?? modelForChat(known) ?? '')
  const mayWrite = can('chat_sessions:write') && can('turns:write')

  async function begin(content: Schema<'MessageContent'>) {
    setBusy(true)
    setError(null)
    setRefused(null)
    try {
      const title = textOf(content).trim().split('\n')[0]?.slice(0, TITLE_LENGTH) || undefined
      const create = async (name: string) => {
        const session = await request('post', '/api/v1/chat_sessions', { body: { title, model: name || null, system_prompt: systemPrompt.trim() || null, project_id: projectId } })
        for (const message of replay?.earlier ?? []) await request('post', '/api/v1/messages', { body: { ...message, session_id: session.id } })
        return session
      }
      const first = await create(model)
      const other = second ? await create(second) : null
      for (const session of [first, other]) if (session) leaveQuestion(session.id, content)
      void client.invalidateQueries({ queryKey: ['chat list'] })
      await navigate({ to: `/chat/${first.id}`, search: { owner: search.owner, state: search.state, with: other?.id } } as never)
    } catch (cause) {
      setError(cause as ApiError)
      setRefused(content)
      setBusy(false)
    }
  }
  function choose(name: string) {
    setChosen(name)
    localStorage.setItem(STORED_MODEL, name)
  }
  return (
    <Layout title={t.title} isListFirst={!search.new && !search.call}>
      <div className={styles.single}>
        <div className={styles.start}>
          <Link to="/chat" search={{ owner: search.owner, state: search.state } as never} className={styles.back} aria-label={t.showList}>
            <ArrowLeft size={18} />
          </Link>
          <div className={styles.startBody}>
            <h2>{t.start}</h2>
            <p className={styles.small}>{mayWrite ? t.startHint : t.lockedPermission}</p>
            {mayWrite && models.isLoaded && models.routes.length === 0 && models.byProvider.length === 0 && (
              <p>
                {t.noModels} <Link to="/providers">{t.addProvider}</Link>
              </p>
            )}
            {mayWrite && (
              <div className={styles.startFields}>
                <label>
                  <span>{t.model}</span>
                  <ModelChoice label={t.model} value={model} none={t.defaultModel} onChange={choose} />
                </label>
                <label>
                  <span>{t.secondModel}</span>
                  <ModelChoice label={t.secondModel} value={second} none={t.noSecond} onChange={setSecond} />
                </label>
                <label className={styles.wide}>
                  <span>{t.systemPrompt}</span>
                  <textarea className={styles.input} rows={3} value={systemPrompt} onChange={(event) => setSystemPrompt(event.target.value)} />
                </label>
              </div>
            )}
            {replay && replay.earlier.length > 0 && <p className={styles.small}>{t.replayed(replay.earlier.length)}</p>}
            {error && <ErrorMessage error={error} />}
          </div>
        </div>
        {mayWrite && <Composer draftKey={search.call ?? 'new'} isBusy={isBusy} isDisabled={!models.isLoaded} refused={refused} onSend={(content) => void begin(content)} />}
      </div>
    </Layout>
  )
}
