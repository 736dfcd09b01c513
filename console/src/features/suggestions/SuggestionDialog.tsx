import { Link } from '@tanstack/react-router'
import { useRead } from '@/api/hooks'
import { useProjects } from '@/api/projects'
import { useCan } from '@/api/session'
import type { Schema } from '@/api/types'
import { useSuggestionTexts } from '@/findings/useFindingTexts'
import { shortId, useFormat } from '@/i18n/format'
import { Button } from '@/ui/Button'
import { CodeBlock } from '@/ui/Code'
import { Dialog } from '@/ui/Dialog'
import { Loaded } from '@/ui/Feedback'
import { Facts } from '@/ui/Page'
import { Time } from '@/ui/Time'
import { PriorityBadge, StatusBadge } from './badges'
import { MeasuredGainDetails } from './Gain'
import { nextStatuses, plainTitle } from './measurement'
import { useMessages } from './messages'
import styles from './suggestions.module.css'
import { useStatusChange } from './useStatusChange'

type Suggestion = Schema<'SuggestionView'>

/** A suggestion with its gain and its evidence. */
export function SuggestionDialog({ id, onClose }: { id: string; onClose: () => void }) {
  const t = useMessages()
  const can = useCan()
  const suggestion = useRead('/api/v1/suggestions/{id}', { params: { id } })
  const { names, change, isPending } = useStatusChange()
  const textsOf = useSuggestionTexts()
  return (
    <Dialog
      title={suggestion.data ? plainTitle(textsOf(suggestion.data)) : t.suggestion}
      isOpen
      size="wide"
      onClose={onClose}
      actions={
        suggestion.data &&
        can('suggestions:write') &&
        nextStatuses(suggestion.data.status).map((status) => (
          <Button key={status} look={status === 'accepted' ? 'primary' : 'secondary'} disabled={isPending} onClick={() => suggestion.data && void change(suggestion.data, status)}>
            {names[status]}
          </Button>
        ))
      }
    >
      <Loaded query={suggestion}>{(data) => <Details suggestion={data} />}</Loaded>
    </Dialog>
  )
}

function Details({ suggestion }: { suggestion: Suggestion }) {
  const t = useMessages()
  const f = useFormat()
  const { nameOf } = useProjects()
  const textsOf = useSuggestionTexts()
  const { project_id, endpoint, version, measured_version } = suggestion
  return (
    <div className={styles.details}>
      <p className={styles.text}>{textsOf(suggestion).description}</p>
      <Facts
        facts={[
          [t.status, <StatusBadge status={suggestion.status} />],
          [t.priority, <PriorityBadge priority={suggestion.priority} />],
          [t.category, t.categories[suggestion.category as keyof typeof t.categories] ?? suggestion.category],
          [t.project, nameOf(project_id)],
          [t.endpoint, <Link to="/endpoints" search={{ project_id, endpoint } as never}>{endpoint}</Link>],
          [t.version, version],
          [t.function, suggestion.function && <code>{suggestion.function}</code>],
          [t.source, t.sources[suggestion.source]],
          [t.created, <Time at={suggestion.created_at} />],
          [t.predicted, suggestion.predicted_gain === null ? t.notPredicted : <><strong>{f.percent(suggestion.predicted_gain)}</strong> <span className={styles.note}>{t.predictedHelp}</span></>],
        ]}
      />
      <h3>{t.measured}</h3>
      <MeasuredGainDetails suggestion={suggestion} />
      {measured_version && (
        <Link to="/versions" search={{ project_id, base: version, version: measured_version, endpoint } as never}>
          {t.compare}
        </Link>
      )}
      <h3>{t.evidence}</h3>
      <Facts
        facts={[
          [t.finding, suggestion.finding && (t.findings[suggestion.finding as keyof typeof t.findings] ?? suggestion.finding)],
          [t.record, suggestion.record_id && <Link to={`/records/${suggestion.record_id}`}>{shortId(suggestion.record_id)}</Link>],
          [t.analysis, suggestion.analysis_id && <Link to={`/analyses/${suggestion.analysis_id}`}>{t.openAnalysis}</Link>],
        ]}
      />
      {suggestion.code_example && (
        <>
          <h3>{t.code}</h3>
          <CodeBlock code={suggestion.code_example} label={t.code} />
        </>
      )}
    </div>
  )
}
