import { Plus } from 'lucide-react'
import { useChange, useRead } from '@/api/hooks'
import { useCan } from '@/api/session'
import type { Schema } from '@/api/types'
import type { Field } from '@/form/field'
import { FormDialog } from '@/form/FormDialog'
import { useWords } from '@/i18n/words'
import { DataTable } from '@/list/DataTable'
import { useDialog } from '@/list/dialog'
import { Badge } from '@/ui/Badge'
import { Button } from '@/ui/Button'
import { Loaded } from '@/ui/Feedback'
import { RowMenu } from '@/ui/RowMenu'
import { Time } from '@/ui/Time'
import { notify } from '@/ui/Toasts'
import { useMessages } from './messages'

type Preference = Schema<'UserPreferenceView'>

const PATH = '/api/v1/users/{user_id}/preferences'

/** What is stored for a user by key. */
export function Preferences({ userId }: { userId: string }) {
  const t = useMessages()
  const w = useWords()
  const can = useCan()
  const [dialog, open, close] = useDialog<'preference' | 'new-preference'>()
  const preferences = useRead(PATH, { params: { user_id: userId } })
  const put = useChange('put', '/api/v1/users/{user_id}/preferences/{key}', [PATH])
  const remove = useChange('delete', '/api/v1/users/{user_id}/preferences/{key}', [PATH])
  const canWrite = can('user_preferences:write')
  const value: Field = { name: 'value', label: t.value, kind: 'json', isRequired: true }
  const chosen = preferences.data?.data.find((each) => each.key === dialog.id)
  const set = (key: string, body: Record<string, unknown>, ifMatch?: string) =>
    put.mutateAsync({ params: { user_id: userId, key }, body: { value: body.value ?? null } as Schema<'UserPreferencePut'>, ifMatch })
  return (
    <Loaded query={preferences}>
      {({ data }) => (
        <>
          <p>{t.preferencesHint}</p>
          <DataTable<Preference>
            label={t.preferences}
            rows={data}
            rowKey={(each) => each.key}
            columns={[
              { id: 'key', header: t.key, cell: (each) => <code>{each.key}</code> },
              { id: 'value', header: t.value, cell: (each) => <code>{JSON.stringify(each.value)}</code> },
              { id: 'state', header: w.state, cell: (each) => <Badge tone={each.is_default ? 'neutral' : 'info'}>{each.is_default ? t.isDefault : t.set}</Badge> },
              { id: 'updated', header: w.updated, cell: (each) => <Time at={each.updated_at} /> },
            ]}
            rowActions={(each) =>
              canWrite && (
                <RowMenu
                  name={each.key}
                  items={[
                    { label: w.edit, onSelect: () => open('preference', each.key) },
                    !each.is_default && { label: t.resetPreference, isDangerous: true, onSelect: () => remove.mutate({ params: { user_id: userId, key: each.key } }, { onError: (error) => notify(error.message) }) },
                  ]}
                />
              )
            }
          />
          {canWrite && (
            <p>
              <Button icon={<Plus size={16} />} onClick={() => open('new-preference')}>
                {t.setPreference}
              </Button>
            </p>
          )}
          {dialog.name === 'preference' && chosen && canWrite && (
            <FormDialog title={t.editPreference(chosen.key)} fields={[value]} existing={{ value: chosen.value, updated_at: chosen.updated_at }} onClose={close} onSubmit={(body, ifMatch) => set(chosen.key, body, ifMatch)} />
          )}
          {dialog.name === 'new-preference' && canWrite && (
            <FormDialog title={t.setPreference} fields={[{ name: 'key', label: t.key, help: t.preferenceKeyHelp, isRequired: true, placeholder: 'ai_settings' }, value]} onClose={close} onSubmit={(body) => set(String(body.key), body)} />
          )}
        </>
      )}
    </Loaded>
  )
}
