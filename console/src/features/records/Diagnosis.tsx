import type { Schema } from '@/api/types'
import { useFindingTexts } from '@/findings/useFindingTexts'
import { useFormat } from '@/i18n/format'
import { Badge, type Tone } from '@/ui/Badge'
import { Button } from '@/ui/Button'
import { classes } from '@/ui/classes'
import { CodeBlock } from '@/ui/Code'
import { Card } from '@/ui/Page'
import { Prose } from './Prose'
import { useMessages } from './messages'
import styles from './records.module.css'

const TONES: Record<Schema<'FindingSeverity'>, Tone> = { low: 'neutral', medium: 'info', high: 'warning', critical: 'danger' }

interface DiagnosisProps {
  record: Schema<'PerformanceRecordView'>
  selected: string | undefined
  onSelect: (select: string) => void
}

/** What the rules found, each with the calls that show it. */
export function Diagnosis({ record, selected, onSelect }: DiagnosisProps) {
  const t = useMessages()
  const f = useFormat()
  const textsOf = useFindingTexts()
  const findings = record.findings ?? []
  return (
    <Card title={t.diagnosis}>
      {findings.length === 0 && <p>{record.score == null ? t.notDiagnosed : t.noFindings}</p>}
      {findings.length > 0 && (
        <ul className={styles.findings}>
          {findings.map((finding, index) => {
            const select = `finding:${index}`
            const texts = textsOf(finding)
            return (
              <li key={select} className={classes(styles.finding, selected === select && styles.current)}>
                <div className={styles.findingHead}>
                  <Badge tone={TONES[finding.severity]}>{t.severities[finding.severity]}</Badge>
                  <h3>{t.rules[finding.rule]}</h3>
                  <span className={styles.muted}>
                    {t.impact(f.percent(finding.impact))}
                    {finding.saving_ns > 0 && ` · ${t.saving(f.duration(finding.saving_ns / 1e6))}`}
                  </span>
                  {finding.calls.length > 0 && (
                    <Button aria-pressed={selected === select} onClick={() => onSelect(select)}>
                      {finding.count === 1 ? t.showCall : t.showCalls(f.number(finding.count))}
                    </Button>
                  )}
                </div>
                <Prose text={texts.description} />
                <details>
                  <summary>
                    <Prose text={texts.title} />
                  </summary>
                  <p lang={texts.language}>{texts.advice}</p>
                  {finding.suggestion.code_example && <CodeBlock code={finding.suggestion.code_example} label={t.example} />}
                </details>
              </li>
            )
          })}
        </ul>
      )}
    </Card>
  )
}
