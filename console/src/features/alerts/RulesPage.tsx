import { Link } from '@tanstack/react-router'
import { MoreHorizontal, Plus } from 'lucide-react'
import { useState } from 'react'
import { useChange } from '@/api/hooks'
import { useProjects } from '@/api/projects'
import { useCan, useSession } from '@/api/session'
import type { Schema } from '@/api/types'
import type { Column } from '@/list/DataTable'
import { ResourceList } from '@/list/ResourceList'
import { useSearchState } from '@/list/search'
import { Badge } from '@/ui/Badge'
import { Button, IconButton } from '@/ui/Button'
import { ConfirmDialog } from '@/ui/Dialog'
import { Empty } from '@/ui/Feedback'
import { Menu } from '@/ui/Menu'
import { Page } from '@/ui/Page'
import { SecretDialog } from '@/ui/SecretDialog'
import { Time } from '@/ui/Time'
import { notify } from '@/ui/Toasts'
import styles from './alerts.module.css'
import { RuleStateBadge, SeverityBadge } from './badges'
import { useMessages } from './messages'
import { RuleDialog } from './RuleDialog'
import { DefaultsForm, RuleForm } from './RuleForm'
import { useTexts } from './texts'

type Rule = Schema<'AlertRuleView'>

const REFRESH_MS = 10_000

export default function RulesPage() {
  const t = useMessages()
  const texts = useTexts()
  const can = useCan()
  const { projectId } = useSession()
  const { nameOf } = useProjects()
  const [search, setSearch] = useSearchState()
  const [open, setOpen] = useState<{ form?: 'new' | 'defaults' | Rule; deleted?: Rule; taken?: Rule; secret?: string }>({})
  const update = useChange('patch', '/api/v1/alert_rules/{id}', ['/api/v1/alert_'])
  const remove = useChange('delete', '/api/v1/alert_rules/{id}', ['/api/v1/alert_'])
  const canWrite = can('alert_rules:write')

  async function setActive(rule: Rule, isActive: boolean) {
    try {
      await update.mutateAsync({ params: { id: rule.id }, body: { is_active: isActive } })
      notify(isActive ? t.resumedNow : t.pausedNow)
    } catch (error) {
      notify((error as Error).message)
    }
  }
  function editShown(rule: Rule) {
    setSearch({ rule: undefined })
    setOpen({ form: rule })
  }
  const columns: Column<Rule>[] = [
    {
      id: 'name',
      header: t.name,
      cell: (rule) => (
        <span className={styles.badges}>
          <Link to="." search={(previous: object) => ({ ...previous, rule: rule.id }) as never}>
            {rule.name}
          </Link>
          {rule.is_managed && <Badge>{t.managed}</Badge>}
        </span>
      ),
      value: (rule) => rule.name,
    },
    { id: 'state', header: t.state, cell: (rule) => <RuleStateBadge rule={rule} />, value: (rule) => (rule.is_active ? rule.state : 'inactive') },
    { id: 'project', header: t.project, cell: (rule) => nameOf(rule.project_id), value: (rule) => nameOf(rule.project_id) },
    {
      id: 'condition',
      header: t.condition,
      cell: (rule) => `${texts.what(rule)} ${rule.comparison === 'above' ? '>' : '<'} ${texts.value(rule.metric, rule.threshold)}`,
      value: (rule) => `${rule.metric} ${rule.comparison === 'above' ? '>' : '<'} ${rule.threshold}`,
    },
    { id: 'lastValue', header: t.lastValue, isNumeric: true, cell: (rule) => texts.value(rule.metric, rule.last_value), value: (rule) => rule.last_value },
    { id: 'severity', header: t.severity, isOptional: true, cell: (rule) => <SeverityBadge severity={rule.severity} />, value: (rule) => rule.severity },
    { id: 'notifies', header: t.notifies, cell: (rule) => shortened(targetsOf(rule)) || t.nobody, value: (rule) => targetsOf(rule).join(' ') },
    { id: 'selector', header: t.restrictedTo, isOptional: true, cell: (rule) => texts.selector(rule.selector), value: (rule) => texts.selector(rule.selector) },
    { id: 'evaluated', header: t.evaluated, isOptional: true, cell: (rule) => <Time at={rule.evaluated_at} />, value: (rule) => rule.evaluated_at },
  ]
  const buttons = canWrite && (
    <>
      <Button onClick={() => setOpen({ form: 'defaults' })}>{t.defaults}</Button>
      <Button look="primary" icon={<Plus size={16} />} onClick={() => setOpen({ form: 'new' })}>
        {t.create}
      </Button>
    </>
  )
  return (
    <Page title={t.rules} description={t.rulesDescription} actions={buttons}>
      <ResourceList
        path="/api/v1/alert_rules"
        label={t.rules}
        columns={columns}
        filters={[
          { name: 'state', label: t.state, options: Object.entries(t.ruleStates).map(([value, label]) => ({ value, label })) },
          { name: 'is_active', label: t.active, options: [{ value: 'true', label: t.active }, { value: 'false', label: t.paused }] },
          { name: 'name', label: t.name },
        ]}
        query={{ project_id: projectId ?? undefined }}
        rowKey={(rule) => rule.id}
        refresh={REFRESH_MS}
        rowActions={
          canWrite
            ? (rule) => (
                <Menu
                  trigger={<IconButton label={t.actions(rule.name)} icon={<MoreHorizontal size={16} />} />}
                  groups={[
                    {
                      items: [
                        { label: t.edit, onSelect: () => setOpen({ form: rule }) },
                        { label: rule.is_active ? t.pause : t.resume, onSelect: () => void setActive(rule, !rule.is_active) },
                        ...(rule.is_managed ? [{ label: t.takeOver, onSelect: () => setOpen({ taken: rule }) }] : []),
                        { label: t.remove, isDangerous: true, onSelect: () => setOpen({ deleted: rule }) },
                      ],
                    },
                  ]}
                />
              )
            : undefined
        }
        empty={<Empty title={t.rulesEmpty} action={buttons}>{t.rulesEmptyHint}</Empty>}
      />
      {search.rule && <RuleDialog id={search.rule} onClose={() => setSearch({ rule: undefined })} onEdit={canWrite ? editShown : undefined} />}
      {open.form === 'defaults' && <DefaultsForm onClose={() => setOpen({})} onDone={() => notify(t.defaultsMade)} />}
      {open.form && open.form !== 'defaults' && (
        <RuleForm
          rule={open.form === 'new' ? undefined : open.form}
          onClose={() => setOpen(({ secret }) => ({ secret }))}
          onSecret={(secret) => setOpen((previous) => ({ ...previous, secret }))}
        />
      )}
      {open.secret && !open.form && (
        <SecretDialog title={t.secretTitle} secret={open.secret} onClose={() => setOpen({})}>
          <p>{t.secretDescription}</p>
        </SecretDialog>
      )}
      {open.taken && (
        <ConfirmDialog
          title={`${t.takeOver}: ${open.taken.name}`}
          description={t.takeOverHelp}
          action={t.takeOver}
          isOpen
          onClose={() => setOpen({})}
          onConfirm={() => update.mutateAsync({ params: { id: open.taken?.id ?? '' }, body: { is_managed: false } })}
        />
      )}
      {open.deleted && (
        <ConfirmDialog
          title={t.removeTitle(open.deleted.name)}
          description={t.removeHelp}
          action={t.remove}
          isOpen
          onClose={() => setOpen({})}
          onConfirm={() => remove.mutateAsync({ params: { id: open.deleted?.id ?? '' } })}
        />
      )}
    </Page>
  )
}

/** Whom a rule notifies. */
function targetsOf({ delivery }: Rule): string[] {
  return [...(delivery.email?.to ?? []), ...(delivery.webhook ? [new URL(delivery.webhook.url).host] : [])]
}

/** The first of several, and how many more there are. */
function shortened([first = '', ...others]: string[]): string {
  return others.length > 0 ? `${first} +${others.length}` : first
}
