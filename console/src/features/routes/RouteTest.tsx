import { Link } from '@tanstack/react-router'
import { useMutation } from '@tanstack/react-query'
import { type ApiError, headersOf, send } from '@/api/request'
import { useRead } from '@/api/hooks'
import { useCan } from '@/api/session'
import { FieldInput } from '@/form/FieldInput'
import formStyles from '@/form/form.module.css'
import { shortId, useFormat } from '@/i18n/format'
import { Button } from '@/ui/Button'
import { CodeBlock } from '@/ui/Code'
import { Dialog } from '@/ui/Dialog'
import { ErrorMessage } from '@/ui/Feedback'
import { Facts } from '@/ui/Page'
import { useState } from 'react'
import { useMessages } from './messages'

const MAX_TOKENS = 100
const REFRESH_MS = 1_000

interface Answer {
  text: string
  requestId: string | null
}

async function ask(alias: string, message: string): Promise<Answer> {
  const response = await send('/v1/chat/completions', {
    method: 'POST',
    headers: headersOf('post', { 'content-type': 'application/json' }),
    body: JSON.stringify({ model: alias, max_tokens: MAX_TOKENS, messages: [{ role: 'user', content: message }] }),
  })
  const body = (await response.json()) as { choices: { message: { content: string | null } }[] }
  return { text: body.choices[0]?.message.content ?? '', requestId: response.headers.get('x-request-id') }
}

/** Sends a message to a route, and shows who answered it and how. */
export function RouteTest({ alias, onClose }: { alias: string; onClose: () => void }) {
  const t = useMessages()
  const f = useFormat()
  const can = useCan()
  const [message, setMessage] = useState('Say hello in one sentence.')
  const test = useMutation<Answer, ApiError>({ mutationFn: () => ask(alias, message) })
  const requestId = test.data?.requestId ?? test.error?.requestId ?? null
  // The call is settled in the ledger a moment after its answer.
  const calls = useRead('/api/v1/llm_calls', { query: { request_id: requestId ?? '' } }, { enabled: requestId !== null && can('llm_calls:read'), refresh: (found) => (found?.data[0]?.state ?? 'open') === 'open' && REFRESH_MS })
  const call = requestId ? calls.data?.data[0] : undefined
  return (
    <Dialog title={t.testTitle(alias)} description={t.testHint} isOpen onClose={onClose}>
      <form
        className={formStyles.form}
        onSubmit={(event) => {
          event.preventDefault()
          test.mutate()
        }}
      >
        <FieldInput field={{ name: 'message', label: t.testMessage, isRequired: true }} value={message} onChange={(value) => setMessage(String(value ?? ''))} />
        <div>
          <Button look="primary" type="submit" isBusy={test.isPending}>
            {t.send}
          </Button>
        </div>
        <div className={formStyles.form} aria-live="polite">
          {test.error && <ErrorMessage error={test.error} />}
          {test.data && <CodeBlock code={test.data.text} label={t.answer} />}
          {call && call.state !== 'open' && (
            <Facts
              facts={[
                [t.answeredBy, test.data && `${call.provider}/${call.model}`],
                [t.latency, f.duration(call.latency_ms)],
                [t.attempts, call.attempts.map((attempt) => `${attempt.target} ${attempt.error ?? attempt.status ?? ''}`).join(' → ')],
                [t.theCall, <Link to={`/calls/${call.id}`}>{shortId(call.id)}</Link>],
              ]}
            />
          )}
        </div>
      </form>
    </Dialog>
  )
}
