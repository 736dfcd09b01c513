import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useChange, useRead } from '@/api/hooks'
import { modelForChat } from '@/api/models'
import type { Schema } from '@/api/types'
import { useCan, useSession } from '@/api/session'
import { useSearchState } from '@/list/search'
import { ProviderForm, ProviderTest } from '@/provider-form'
import { Button } from '@/ui/Button'
import { CodeBlock } from '@/ui/Code'
import { ErrorMessage, Loaded } from '@/ui/Feedback'
import { Page } from '@/ui/Page'
import { Tabs } from '@/ui/Tabs'
import { useMessages } from './messages'
import { type Language, snippetOf } from './snippets'
import { Step } from './Step'
import styles from './start.module.css'

const REFRESH_MS = 1_500

/** From a provider to the first call, step by step. */
export default function GuidePage() {
  const t = useMessages()
  const [search, setSearch] = useSearchState()
  const providers = useRead('/api/v1/ai_providers', { query: { limit: 200 } })
  const models = useRead('/v1/models')
  const [key, setKey] = useState<Schema<'ApiKeyCreated'> | null>(null)
  const active = providers.data?.data.filter((provider) => provider.is_active) ?? []
  const names = models.data?.data.map((model) => model.id) ?? []
  const model = search.model && names.includes(search.model) ? search.model : (modelForChat(names) ?? '')
  const calls = useRead('/api/v1/llm_calls', { query: { api_key_id: key?.id, limit: 1 } }, { enabled: key !== null, refresh: (data) => (data?.data.length ? false : REFRESH_MS) })
  const call = key ? calls.data?.data[0] : undefined
  return (
    <Page title={t.title} description={t.description}>
      <ol className={styles.steps}>
        <Step number={1} title={t.provider} isDone={active.length > 0 && model !== ''}>
          <Loaded query={providers}>{() => <Provider names={active.map((provider) => provider.name)} onAdded={() => void models.refetch()} />}</Loaded>
        </Step>
        <Step number={2} title={t.model} isDone={model !== ''}>
          {names.length === 0 ? (
            <p>
              {active.length === 0 ? t.needProvider : t.noModels} {active.length > 0 && <Link to="/providers">{t.providers}</Link>}
            </p>
          ) : (
            <select className={styles.select} aria-label={t.model} value={model} onChange={(event) => setSearch({ model: event.target.value })}>
              {names.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          )}
        </Step>
        <Step number={3} title={t.key} isDone={key !== null}>
          <Key created={key} onCreated={setKey} />
        </Step>
        <Step number={4} title={t.snippet} isDone={call !== undefined}>
          <Snippets secret={key?.key ?? t.keyPlaceholder} model={model || 'provider/model'} />
        </Step>
        <Step number={5} title={t.arrived} isDone={call !== undefined}>
          <p role="status">
            {!key && t.needKey}
            {key && !call && t.waiting}
            {call && (
              <>
                {call.error_message ? t.failedCall(call.error_message) : t.firstCall(`${call.provider}/${call.model}`)} <Link to={`/calls/${call.id}`}>{t.look}</Link>
              </>
            )}
          </p>
          {call ? (
            <Next isPriced={call.cost_usd !== null} provider={call.provider} model={call.model} />
          ) : (
            <p>
              <Link to="/chat">{t.orChat}</Link>
            </p>
          )}
        </Step>
      </ol>
    </Page>
  )
}

function Provider({ names, onAdded }: { names: string[]; onAdded: () => void }) {
  const t = useMessages()
  const [isOpen, setOpen] = useState(names.length === 0)
  const [added, setAdded] = useState<string | null>(null)
  if (isOpen) {
    return (
      <>
        <p>{t.providerHint}</p>
        <ProviderForm
          onDone={(provider) => {
            setOpen(false)
            setAdded(provider.id)
            onAdded()
          }}
        />
      </>
    )
  }
  return (
    <>
      <p>{t.providerDone(names)}</p>
      {added && <ProviderTest id={added} />}
      <div className={styles.row}>
        <Button onClick={() => setOpen(true)}>{t.addAnother}</Button>
        {added && <Link to="/providers">{t.correct}</Link>}
      </div>
    </>
  )
}

/** What makes sense once a call has arrived. */
function Next({ isPriced, provider, model }: { isPriced: boolean; provider: string; model: string }) {
  const t = useMessages()
  const can = useCan()
  return (
    <nav aria-label={t.next}>
      <p>{t.next}</p>
      <ul className={styles.next}>
        {!isPriced && can('model_prices:write') && (
          <li>
            <Link to="/prices" search={{ dialog: 'new', provider, model } as never}>
              {t.nextPrice}
            </Link>
          </li>
        )}
        {can('limits:write') && (
          <li>
            <Link to="/limits" search={{ dialog: 'new' } as never}>
              {t.nextBudget}
            </Link>
          </li>
        )}
        <li>
          <Link to="/chat">{t.nextChat}</Link>
        </li>
        {can('users:write') && (
          <li>
            <Link to="/users" search={{ dialog: 'new' } as never}>
              {t.nextUser}
            </Link>
          </li>
        )}
        {can('projects:read') && (
          <li>
            <Link to="/connect">{t.nextConnect}</Link>
          </li>
        )}
      </ul>
    </nav>
  )
}

function Key({ created, onCreated }: { created: Schema<'ApiKeyCreated'> | null; onCreated: (key: Schema<'ApiKeyCreated'>) => void }) {
  const t = useMessages()
  const { projectId } = useSession()
  const create = useChange('post', '/api/v1/api_keys', ['/api/v1/api_keys'])
  if (created) {
    return (
      <>
        <p>{t.keyOnce}</p>
        <CodeBlock code={created.key} label={t.key} />
      </>
    )
  }
  return (
    <>
      <p>{t.keyHint}</p>
      {create.error && <ErrorMessage error={create.error} />}
      <div>
        <Button look="primary" isBusy={create.isPending} onClick={() => create.mutate({ body: { name: t.keyName, scopes: ['gateway:call'], project_id: projectId } }, { onSuccess: onCreated })}>
          {t.createKey}
        </Button>
      </div>
    </>
  )
}

function Snippets({ secret, model }: { secret: string; model: string }) {
  const t = useMessages()
  const [search, setSearch] = useSearchState()
  const languages = Object.keys(t.languages) as Language[]
  const selected = languages.find((language) => language === search.language) ?? 'curl'
  const tabs = languages.map((language) => ({ id: language, label: t.languages[language], content: <CodeBlock code={snippetOf(language, location.origin, secret, model)} label={t.languages[language]} /> }))
  return <Tabs label={t.snippet} tabs={tabs} selected={selected} onSelect={(language) => setSearch({ language })} />
}
