import { useChange } from '@/api/hooks'
import { useProjects } from '@/api/projects'
import { useSession } from '@/api/session'
import type { BodyOf, Schema } from '@/api/types'
import type { Field, Values } from '@/form/field'
import { FormDialog } from '@/form/FormDialog'
import styles from './alerts.module.css'
import { useMessages } from './messages'
import { AGGREGATES, METRICS, type Metric, selectorFields } from './metric'
import { bodyOfRule, formOfRule } from './ruleBody'
import { useTexts } from './texts'

type Rule = Schema<'AlertRuleView'>

interface RuleFormProps {
  /** The rule to change; without it the form makes one. */
  rule?: Rule
  onClose: () => void
  /** Called with the signing secret of a webhook, if it is new. */
  onSecret: (secret: string) => void
}

/** Makes or changes a rule. */
export function RuleForm({ rule, onClose, onSecret }: RuleFormProps) {
  const t = useMessages()
  const fields = useFields(rule)
  const create = useChange('post', '/api/v1/alert_rules', ['/api/v1/alert_rules'])
  const update = useChange('patch', '/api/v1/alert_rules/{id}', ['/api/v1/alert_'])
  async function submit(form: Record<string, unknown>, ifMatch?: string) {
    const body = bodyOfRule(form, rule)
    const saved = rule
      ? await update.mutateAsync({ params: { id: rule.id }, body: body as BodyOf<'/api/v1/alert_rules/{id}', 'patch'>, ifMatch })
      : await create.mutateAsync({ body: body as unknown as BodyOf<'/api/v1/alert_rules', 'post'> })
    if (saved.signing_secret) onSecret(saved.signing_secret)
  }
  return <FormDialog title={rule ? `${t.edit}: ${rule.name}` : t.create} description={rule?.is_managed ? t.managedHelp : undefined} fields={fields} existing={rule && formOfRule(rule)} onClose={onClose} onSubmit={submit} size="wide" />
}

function useFields(rule: Rule | undefined): (values: Values) => Field[] {
  const t = useMessages()
  const texts = useTexts()
  const { projects } = useProjects()
  const { projectId } = useSession()
  const choices = <Key extends string>(texts: { [K in Key]: string }, keys: Key[]) => keys.map((value) => ({ value, label: texts[value] as string }))
  const restrictions: Record<keyof Schema<'Selector'>, Omit<Field, 'name'>> = {
    endpoint: { label: t.endpoint, help: t.endpointHelp },
    version: { label: t.version },
    provider: { label: t.provider },
    model: { label: t.model },
    metric_name: { label: t.metricName, isRequired: true },
    aggregate: { label: t.aggregate, kind: 'choice', options: choices(t.aggregates, AGGREGATES), initial: 'mean' },
    tags: { label: t.tags, help: t.tagsHelp, kind: 'texts' },
  }
  /** What the rule does as it is filled in. */
  function sentence(values: Values, metric: Metric) {
    const threshold = values.threshold ?? rule?.threshold
    if (typeof threshold !== 'number') return null
    const selector = { metric_name: values['selector.metric_name'] as string | undefined }
    const definition = { metric, selector, threshold, comparison: (values.comparison ?? rule?.comparison ?? 'above') as 'above' | 'below' }
    return <span className={styles.sentence}>{texts.sentence({ ...definition, window_seconds: Number(values.window_seconds ?? 300), for_seconds: Number(values.for_seconds ?? 0) })}</span>
  }
  return (values) => {
    const metric = (rule?.metric ?? values.metric ?? 'response_time_p95') as Metric
    const thresholds: Field[] = [
      { name: 'comparison', label: t.comparison, kind: 'choice', isRequired: true, initial: 'above', options: choices(t.comparisons, ['above', 'below']) },
      { name: 'threshold', label: t.threshold, help: unitOf(metric, t.units), kind: 'number', isRequired: true },
      { name: 'recover_threshold', label: t.recoverThreshold, help: t.recoverHelp, kind: 'number' },
    ]
    return [
      ...(!rule
        ? [
            { name: 'project_id', label: t.project, kind: 'choice', isRequired: true, initial: projectId ?? undefined, options: projects.map(({ id, name }) => ({ value: id, label: name })) } as Field,
            { name: 'metric', label: t.metric, help: t.metricHelp[metric], kind: 'choice', isRequired: true, initial: 'response_time_p95', options: choices(t.metrics, METRICS) } as Field,
          ]
        : []),
      { name: 'name', label: t.name, help: t.nameHelp, isRequired: true },
      ...selectorFields(metric).map((name): Field => ({ name: `selector.${name}`, ...restrictions[name] })),
      ...(rule?.is_managed ? [] : thresholds),
      { name: 'window_seconds', label: t.windowField, help: t.windowHelp, kind: 'number', isRequired: true, initial: 300, min: 60, max: 604_800, step: 1 },
      { name: 'for_seconds', label: t.forField, help: <>{t.forHelp} {sentence(values, metric)}</>, kind: 'number', isRequired: true, initial: 0, min: 0, step: 1 },
      { name: 'min_samples', label: t.minSamples, help: t.samplesHelp, kind: 'number', isRequired: true, initial: 10, min: 1, step: 1 },
      { name: 'severity', label: t.severity, kind: 'choice', isRequired: true, initial: 'high', options: choices(t.severities, ['critical', 'high', 'medium', 'low']) },
      { name: 'delivery.email.to', label: t.email, help: t.emailHelp, kind: 'texts' },
      { name: 'delivery.webhook.url', label: t.webhook, help: t.webhookHelp, placeholder: 'https://ops.example.com/loam' },
      { name: 'delivery.webhook.secret', label: t.secret, help: t.secretHelp, kind: 'secret' },
    ]
  }
}

function unitOf(metric: Metric, units: Record<'seconds' | 'share' | 'megabytes' | 'rate' | 'usd' | 'own', string>): string {
  if (metric === 'error_rate') return units.share
  if (metric === 'memory_usage') return units.megabytes
  if (metric === 'request_rate') return units.rate
  if (metric === 'cost') return units.usd
  if (metric === 'performance_metric') return units.own
  return units.seconds
}

/** Makes the managed rules that a project lacks. */
export function DefaultsForm({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const t = useMessages()
  const { projects } = useProjects()
  const { projectId } = useSession()
  const make = useChange('post', '/api/v1/alert_rules/defaults', ['/api/v1/alert_rules'])
  return (
    <FormDialog
      title={t.defaults}
      description={t.defaultsHelp}
      fields={[
        { name: 'project_id', label: t.project, kind: 'choice', isRequired: true, initial: projectId ?? undefined, options: projects.map(({ id, name }) => ({ value: id, label: name })) },
        { name: 'email.to', label: t.defaultsEmail, help: t.emailHelp, kind: 'texts' },
      ]}
      onClose={onClose}
      onSubmit={async (body) => {
        await make.mutateAsync({ body: body as unknown as BodyOf<'/api/v1/alert_rules/defaults', 'post'> })
        onDone()
      }}
    />
  )
}
