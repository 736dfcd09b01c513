import { Link } from '@tanstack/react-router'
import { useMemo } from 'react'
import { useRead } from '@/api/hooks'
import { useProjects } from '@/api/projects'
import type { Schema } from '@/api/types'
import { useFormat } from '@/i18n/format'
import { Button } from '@/ui/Button'
import { Dialog } from '@/ui/Dialog'
import { Loaded } from '@/ui/Feedback'
import { Facts } from '@/ui/Page'
import { Time } from '@/ui/Time'
import styles from './alerts.module.css'
import { RuleStateBadge, SeverityBadge } from './badges'
import { useMessages } from './messages'
import { useTexts } from './texts'
import { ValueChart } from './ValueChart'

type Rule = Schema<'AlertRuleView'>

const REFRESH_MS = 10_000
const MINUTE = 60_000
const SHOWN = 6 * 60 * MINUTE

interface RuleDialogProps {
  id: string
  onClose: () => void
  onEdit?: (rule: Rule) => void
}

/** A rule with the values that it has measured. */
export function RuleDialog({ id, onClose, onEdit }: RuleDialogProps) {
  const t = useMessages()
  const rule = useRead('/api/v1/alert_rules/{id}', { params: { id } }, { refresh: REFRESH_MS })
  return (
    <Dialog
      title={rule.data?.name ?? t.rule}
      isOpen
      size="wide"
      onClose={onClose}
      actions={onEdit && rule.data && <Button onClick={() => rule.data && onEdit(rule.data)}>{t.edit}</Button>}
    >
      <Loaded query={rule}>{(data) => <Details rule={data} />}</Loaded>
    </Dialog>
  )
}

function Details({ rule }: { rule: Rule }) {
  const t = useMessages()
  const f = useFormat()
  const texts = useTexts()
  const { nameOf } = useProjects()
  const minute = Math.floor(Date.now() / MINUTE)
  const span = useMemo(() => ({ from: (minute + 1) * MINUTE - SHOWN, to: (minute + 1) * MINUTE }), [minute])
  return (
    <div className={styles.details}>
      <p className={styles.observed}>{texts.sentence(rule)}</p>
      {rule.is_managed && (
        <p className={styles.note}>
          {t.managedHelp} <Link to="/projects">{t.openProject}</Link>
        </p>
      )}
      <Facts
        facts={[
          [t.state, <><RuleStateBadge rule={rule} /> {rule.is_active && t.ruleStateHelp[rule.state]}</>],
          [t.lastValue, rule.evaluated_at && (rule.last_value === null ? t.tooFew : texts.value(rule.metric, rule.last_value))],
          [t.evaluated, rule.evaluated_at ? <Time at={rule.evaluated_at} /> : t.never],
          [t.project, nameOf(rule.project_id)],
          [t.restrictedTo, texts.selector(rule.selector) || t.wholeProject],
          [t.recoverThreshold, texts.value(rule.metric, rule.recover_threshold ?? rule.threshold)],
          [t.minSamples, f.number(rule.min_samples)],
          [t.severity, <SeverityBadge severity={rule.severity} />],
          [t.email, rule.delivery.email?.to.join(', ')],
          [t.webhook, rule.delivery.webhook?.url],
          [t.secret, rule.secret && `…${rule.secret.last4 ?? ''}`],
          [t.incidents, <Link to="/alerts" search={{ rule_id: rule.id } as never}>{t.showIncidents}</Link>],
        ]}
      />
      <h3>{t.lastHours}</h3>
      <ValueChart projectId={rule.project_id} rule={rule} span={span} />
    </div>
  )
}
