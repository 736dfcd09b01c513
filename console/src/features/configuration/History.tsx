import { GitCompareArrows, History as RollBackIcon } from 'lucide-react'
import { useState } from 'react'
import { useChange } from '@/api/hooks'
import { useCan } from '@/api/session'
import type { Schema } from '@/api/types'
import { useLanguage } from '@/i18n/language'
import type { Column } from '@/list/DataTable'
import { Actor } from '@/list/Names'
import { ResourceList } from '@/list/ResourceList'
import { Badge } from '@/ui/Badge'
import { Button, IconButton } from '@/ui/Button'
import { Dialog } from '@/ui/Dialog'
import { Empty, ErrorMessage } from '@/ui/Feedback'
import { FieldDiff } from '@/ui/FieldDiff'
import { fieldChanges } from '@/ui/diff'
import { Time } from '@/ui/Time'
import { notify } from '@/ui/Toasts'
import { useUiMessages } from '@/ui/messages'
import styles from './configuration.module.css'
import { useMessages } from './messages'
import { fieldText } from './texts'

type Version = Schema<'SystemConfigVersionView'>

/** Two values to compare, and the version that a rollback would set again. */
interface Comparison {
  title: string
  before: unknown
  after: unknown
  rollBackTo?: number
  /** Undoes the only version: the level below applies again. */
  isUndo?: boolean
  /** The entity tag of the value before it. */
  ifMatch?: string
}

/** The versions of a key at a level: what each changed, the difference of any two, and the way back. */
export function History({ setting, version }: { setting: Schema<'SystemConfigView'>; version: string | undefined }) {
  const t = useMessages()
  const can = useCan()
  const [shown, setShown] = useState<Comparison | null>(null)
  const { config_key: key, level } = setting
  const columns: Column<Version>[] = [
    { id: 'version', header: t.version, cell: (row) => <span>{row.version} {row.version === setting.version && <Badge tone="success">{t.isPresent}</Badge>}</span>, value: (row) => row.version },
    { id: 'action', header: t.action, cell: (row) => t.actions[row.action] ?? row.action, value: (row) => row.action },
    { id: 'changes', header: t.changes, cell: (row) => <code>{fieldChanges(row.old_value ?? {}, row.new_value ?? {}).map((change) => change.path).join(', ')}</code>, value: (row) => JSON.stringify(row.new_value) },
    { id: 'actor', header: t.actor, cell: (row) => <Actor actor={row.actor} />, value: (row) => row.actor },
    { id: 'time', header: t.time, cell: (row) => <Time at={row.created_at} />, value: (row) => row.created_at },
    { id: 'request', header: 'Request ID', isOptional: true, cell: (row) => <code>{row.request_id}</code>, value: (row) => row.request_id },
  ]
  return (
    <>
      <ResourceList
        path="/api/v1/system_config/{key}/versions"
        params={{ key }}
        query={{ level }}
        label={`${key}-${t.history}`}
        columns={columns}
        rowKey={(row) => row.id}
        rowActions={(row) => (
          <span className={styles.rowActions}>
            <IconButton label={`${t.showChanges}: ${row.version}`} icon={<GitCompareArrows size={16} />} onClick={() => setShown({ title: t.changesOf(row.version), before: row.old_value, after: row.new_value })} />
            {can('system_config:write') && row.version === setting.version && row.version === 1 && setting.is_active && (
              <IconButton label={t.undoFirst} icon={<RollBackIcon size={16} />} onClick={() => setShown({ title: t.undoFirst, before: row.new_value, after: {}, isUndo: true, ifMatch: version })} />
            )}
            {can('system_config:write') && row.version !== setting.version && (
              <IconButton
                label={t.rollBackTo(row.version)}
                icon={<RollBackIcon size={16} />}
                onClick={() => setShown({ title: t.rollBackTo(row.version), before: setting.set_value, after: row.new_value, rollBackTo: row.version, ifMatch: version })}
              />
            )}
          </span>
        )}
        selectionName={(row) => `${t.version} ${row.version}`}
        selectionActions={(rows) => {
          const [older, newer] = [...rows].sort((a, b) => a.version - b.version)
          return (
            <Button
              disabled={rows.length !== 2}
              onClick={() => older && newer && setShown({ title: t.between(older.version, newer.version), before: older.new_value, after: newer.new_value })}
            >
              {t.compare}
            </Button>
          )
        }}
        empty={<Empty title={t.noVersions}>{t.noVersionsHint}</Empty>}
      />
      {shown && <Difference {...shown} setting={setting} onClose={() => setShown(null)} />}
    </>
  )
}

function Difference({ title, before, after, rollBackTo, isUndo, ifMatch, setting, onClose }: Comparison & { setting: Schema<'SystemConfigView'>; onClose: () => void }) {
  const t = useMessages()
  const ui = useUiMessages()
  const language = useLanguage()
  const rollBack = useChange('post', '/api/v1/system_config/{key}/rollback', ['/api/v1/system_config'])
  const unset = useChange('delete', '/api/v1/system_config/{key}', ['/api/v1/system_config'])
  const target = { params: { key: setting.config_key }, query: { level: setting.level }, ifMatch }
  const failure = rollBack.error ?? unset.error
  async function confirm() {
    try {
      if (rollBackTo === undefined) await unset.mutateAsync(target)
      else await rollBack.mutateAsync({ ...target, body: { version: rollBackTo } })
      notify(rollBackTo === undefined ? t.isReset : t.rolledBack(rollBackTo))
      onClose()
    } catch {
      // Shown below.
    }
  }
  return (
    <Dialog
      title={title}
      description={isUndo ? t.undoFirstHelp : rollBackTo === undefined ? undefined : t.rollBackHelp}
      isOpen
      onClose={onClose}
      size="wide"
      actions={
        (rollBackTo !== undefined || isUndo) && (
          <>
            <Button onClick={onClose}>{ui.cancel}</Button>
            <Button look="primary" isBusy={rollBack.isPending || unset.isPending} onClick={() => void confirm()}>
              {t.rollBack}
            </Button>
          </>
        )
      }
    >
      <FieldDiff label={title} before={before} after={after} nameOf={(path) => fieldText(setting.config_key, path, language)} />
      {failure && <ErrorMessage error={failure} />}
    </Dialog>
  )
}
