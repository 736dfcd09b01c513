import { Link } from '@tanstack/react-router'
import type { Schema } from '@/api/types'
import { useFormat } from '@/i18n/format'
import { Badge } from '@/ui/Badge'
import { CodeBlock } from '@/ui/Code'
import { Card } from '@/ui/Page'
import styles from './analyses.module.css'
import { SeverityBadge } from './badges'
import { useMessages } from './messages'
import type { Advice, Bottleneck, Results } from './results'

interface ResultProps {
  analysis: Schema<'AnalysisView'>
  results: Results
}

/** What an analysis found, with links to the calls that show it. */
export function Result({ analysis, results }: ResultProps) {
  const t = useMessages()
  const { record_id, project_id, endpoint } = analysis
  const risks = (['current_risks', 'potential_issues', 'recommendations'] as const).filter((part) => results.risk_assessment[part]?.length)
  return (
    <>
      <Card title={t.bottlenecks}>
        {results.bottleneck_analysis.length === 0 && <p>{t.noBottlenecks}</p>}
        <ol className={styles.items}>
          {results.bottleneck_analysis.map((one, index) => (
            <BottleneckItem key={index} one={one} recordId={record_id} />
          ))}
        </ol>
      </Card>
      {results.optimization_suggestions.length > 0 && (
        <Card title={t.suggestions} actions={<Link to="/suggestions" search={{ project_id, endpoint } as never}>{t.suggestionList}</Link>}>
          <ol className={styles.items}>
            {results.optimization_suggestions.map((one, index) => (
              <AdviceItem key={index} one={one} />
            ))}
          </ol>
        </Card>
      )}
      {risks.length > 0 && (
        <Card title={t.risks} className={styles.risks}>
          {risks.map((part) => (
            <div key={part}>
              <h3>{t.riskParts[part]}</h3>
              <ul>
                {results.risk_assessment[part]?.map((text) => (
                  <li key={text}>
                    <Marked text={text} />
                  </li>
                ))}
              </ul>
            </div>
          ))}
        </Card>
      )}
    </>
  )
}

function BottleneckItem({ one, recordId }: { one: Bottleneck; recordId: string | null }) {
  const t = useMessages()
  const f = useFormat()
  return (
    <li className={styles.item}>
      <div className={styles.head}>
        <SeverityBadge severity={one.severity} />
        <strong>
          <code>{one.function}</code>
        </strong>
        <Badge>{t.kinds[one.type as keyof typeof t.kinds] ?? one.type}</Badge>
        <span className={styles.note}>
          {t.share}: {f.percent(one.impact)}
        </span>
      </div>
      <p className={styles.text}>
        <Marked text={one.description} />
      </p>
      {one.calls && one.calls.length > 0 && (
        <div className={styles.calls}>
          <span className={styles.note}>{t.evidence}:</span>
          {one.calls.map((call) => (recordId ? <Link key={call} to={`/records/${recordId}`} search={{ call } as never}><code>{call}</code></Link> : <code key={call}>{call}</code>))}
        </div>
      )}
    </li>
  )
}

function AdviceItem({ one }: { one: Advice }) {
  const t = useMessages()
  return (
    <li className={styles.item}>
      <div className={styles.head}>
        <SeverityBadge severity={one.priority} />
        <strong>
          <Marked text={one.title} />
        </strong>
      </div>
      <p className={styles.text}>
        <Marked text={one.description} />
      </p>
      {one.expected_improvement && (
        <p className={styles.note}>
          {t.expected}: {one.expected_improvement}
        </p>
      )}
      {one.code_example && <CodeBlock code={one.code_example} label={one.title} />}
    </li>
  )
}

/** A text whose parts in backticks are code. */
function Marked({ text }: { text: string }) {
  return text.split('`').map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : part))
}
