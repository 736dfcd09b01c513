import { useEffect } from 'react'
import { useChange } from '@/api/hooks'
import { useFormat } from '@/i18n/format'
import { Badge } from '@/ui/Badge'
import { Button } from '@/ui/Button'
import { CodeBlock } from '@/ui/Code'
import { ErrorMessage, Skeleton } from '@/ui/Feedback'
import { Facts } from '@/ui/Page'
import { useMessages } from './messages'
import styles from './ProviderForm.module.css'

/** Tests the connection to a provider when it is shown, and shows what the provider answered. */
export function ProviderTest({ id }: { id: string }) {
  const t = useMessages()
  const f = useFormat()
  const test = useChange('post', '/api/v1/ai_providers/{id}/test', [])
  const { mutate } = test
  useEffect(() => mutate({ params: { id } }), [id, mutate])
  const result = test.data
  return (
    <div className={styles.result} aria-live="polite">
      <p>{t.testing}</p>
      {test.isPending && <Skeleton />}
      {test.error && <ErrorMessage error={test.error} />}
      {result && !test.isPending && (
        <>
          <Facts
            facts={[
              [t.status, <><Badge tone={result.ok ? 'success' : 'danger'}>{result.ok ? t.works : t.fails}</Badge> {result.status ?? t.noStatus}</>],
              [t.latency, f.duration(result.latency_ms)],
              [t.address, <code>{result.url}</code>],
            ]}
          />
          {result.error && <CodeBlock code={result.error} label={t.answer} />}
          {result.models && result.models.length > 0 && (
            <div>
              <p>{t.models(result.models.length)}</p>
              <div className={styles.models} tabIndex={0} role="region" aria-label={t.models(result.models.length)}>
                {result.models.map((model) => (
                  <Badge key={model}>{model}</Badge>
                ))}
              </div>
            </div>
          )}
        </>
      )}
      <div className={styles.actions}>
        <Button isBusy={test.isPending} onClick={() => mutate({ params: { id } })}>
          {t.testAgain}
        </Button>
      </div>
    </div>
  )
}
