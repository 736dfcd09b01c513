import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { useChange, useRead } from '@/api/hooks'
import { useProjects } from '@/api/projects'
import { useCan } from '@/api/session'
import type { Schema } from '@/api/types'
import { useFormat } from '@/i18n/format'
import { Button } from '@/ui/Button'
import { JsonBlock } from '@/ui/Code'
import { ConfirmDialog } from '@/ui/Dialog'
import { Loaded } from '@/ui/Feedback'
import { Card, Facts, Figure, Grid, Page } from '@/ui/Page'
import { DateTime } from '@/ui/Time'
import styles from './analyses.module.css'
import { StatusBadge } from './badges'
import { useMessages } from './messages'
import { Result } from './Result'
import { resultsOf } from './results'

const REFRESH_MS = 1_500

export default function AnalysisPage() {
  const t = useMessages()
  const can = useCan()
  const navigate = useNavigate()
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  const [isRemoving, setRemoving] = useState(false)
  const analysis = useRead('/api/v1/ai_analysis_results/{id}', { params: { id } }, { refresh: (data) => data?.status === 'pending' && REFRESH_MS })
  const remove = useChange('delete', '/api/v1/ai_analysis_results/{id}', [])
  return (
    <Page
      title={analysis.data?.endpoint ?? t.title}
      parent={{ title: t.title, to: '/analyses' }}
      actions={can('ai_analysis_results:write') && analysis.data && <Button onClick={() => setRemoving(true)}>{t.remove}</Button>}
    >
      <Loaded query={analysis} lines={10}>
        {(data) => <Details analysis={data} />}
      </Loaded>
      <ConfirmDialog
        title={t.removeTitle}
        description={t.removeHelp}
        action={t.remove}
        isOpen={isRemoving}
        onClose={() => setRemoving(false)}
        onConfirm={async () => {
          await remove.mutateAsync({ params: { id } })
          void navigate({ to: '/analyses' } as never)
        }}
      />
    </Page>
  )
}

function Details({ analysis }: { analysis: Schema<'AnalysisView'> }) {
  const t = useMessages()
  const f = useFormat()
  const { nameOf } = useProjects()
  const results = resultsOf(analysis)
  const { ai_service, analysis_metadata: metadata } = analysis
  return (
    <>
      <Card>
        {results && (
          <Grid min="10rem">
            <Figure name={t.score} value={f.number(results.performance_score)} note={t.scoreHelp} />
            <Figure name={t.confidence} value={f.percent(metadata.confidence_score)} />
            <Figure name={t.tokens} value={f.number(metadata.tokens_used)} />
            <Figure name={t.cost} value={f.money(metadata.cost)} />
          </Grid>
        )}
        <div role="status">
          {analysis.status === 'pending' && <p>{t.statusHelp}</p>}
          {analysis.error_message && (
            <p className={styles.failed}>
              {t.failure}: {analysis.error_message}
            </p>
          )}
        </div>
        {metadata.source === 'rules' && results && (
          <p className={styles.note}>
            {analysis.status === 'failed' ? t.failedRules : t.fromRules} {metadata.reason && `${t.reason}: ${metadata.reason}`}
          </p>
        )}
        {metadata.repaired && <p className={styles.note}>{t.repaired}</p>}
        {metadata.dropped_claims ? <p className={styles.note}>{t.dropped(metadata.dropped_claims)}</p> : null}
        <Facts
          facts={[
            [t.status, <StatusBadge status={analysis.status} />],
            [t.project, nameOf(analysis.project_id)],
            [t.version, analysis.version],
            [t.record, analysis.record_id && <Link to={`/records/${analysis.record_id}`}>{t.openRecord}</Link>],
            [t.trace, analysis.trace_id && <Link to="/records" search={{ trace_id: analysis.trace_id } as never}><code>{analysis.trace_id}</code></Link>],
            [t.model, [ai_service.provider, ai_service.model].filter(Boolean).join('/')],
            [t.call, metadata.llm_call_id && <Link to={`/calls/${metadata.llm_call_id}`}>{t.openCall}</Link>],
            [t.duration, metadata.duration !== null && f.duration(metadata.duration * 1000)],
            [t.tokens, !results && metadata.tokens_used !== null && f.number(metadata.tokens_used)],
            [t.cost, !results && metadata.cost !== null && f.money(metadata.cost)],
            [t.type, t.types[analysis.analysis_type]],
            [t.created, <DateTime at={analysis.created_at} />],
            [t.completed, analysis.completed_at && <DateTime at={analysis.completed_at} />],
          ]}
        />
      </Card>
      {results && <Result analysis={analysis} results={results} />}
      <Card>
        <details className={styles.more}>
          <summary>{t.input}</summary>
          <JsonBlock value={analysis.analysis_input ?? {}} label={t.input} />
        </details>
        {results && (
          <details className={styles.more}>
            <summary>{t.output}</summary>
            <JsonBlock value={analysis.analysis_results} label={t.output} />
          </details>
        )}
      </Card>
    </>
  )
}
