import { useNavigate } from '@tanstack/react-router'
import { Plus } from 'lucide-react'
import { useState } from 'react'
import { useChange } from '@/api/hooks'
import { useProjects } from '@/api/projects'
import { useCan } from '@/api/session'
import type { Schema } from '@/api/types'
import { FormDialog } from '@/form/FormDialog'
import type { Column } from '@/list/DataTable'
import { ProjectName } from '@/list/Names'
import { ResourceList } from '@/list/ResourceList'
import { useSearchState } from '@/list/search'
import { Badge } from '@/ui/Badge'
import { Button } from '@/ui/Button'
import { Empty } from '@/ui/Feedback'
import { Page } from '@/ui/Page'
import { Time } from '@/ui/Time'
import { channelFields } from './fields'
import { useMessages } from './messages'
import { ChannelSecretDialog } from './ChannelSecretDialog'

type Channel = Schema<'ChannelView'>

export default function ChannelsPage() {
  const t = useMessages()
  const can = useCan()
  const navigate = useNavigate()
  const [search, setSearch] = useSearchState()
  const [made, setMade] = useState<Schema<'ChannelSecretView'> | null>(null)
  const { projects } = useProjects()
  const create = useChange('post', '/api/v1/channels', ['/api/v1/channels'])
  const columns: Column<Channel>[] = [
    { id: 'name', header: t.name, cell: (row) => row.name, value: (row) => row.name },
    { id: 'kind', header: t.kind, cell: (row) => t.kinds[row.kind], value: (row) => row.kind },
    { id: 'state', header: t.state, cell: (row) => <Badge tone={row.is_active ? 'success' : 'neutral'}>{row.is_active ? t.active : t.inactive}</Badge>, value: (row) => row.is_active },
    { id: 'replies', header: t.replies, cell: (row) => (row.settings.auto_reply ? t.byModel(row.settings.model ?? t.defaultModel) : t.manual), value: (row) => row.settings.model },
    { id: 'project', header: t.project, cell: (row) => row.project_id && <ProjectName id={row.project_id} />, value: (row) => row.project_id },
    { id: 'created', header: t.created, cell: (row) => <Time at={row.created_at} />, value: (row) => row.created_at },
  ]
  const begin = can('channels:write') && (
    <Button look="primary" icon={<Plus size={16} />} onClick={() => setSearch({ new: '1' })}>
      {t.create}
    </Button>
  )
  return (
    <Page title={t.title} description={t.description} actions={begin}>
      <ResourceList
        path="/api/v1/channels"
        label={t.title}
        columns={columns}
        filters={[
          { name: 'name', label: t.name },
          { name: 'kind', label: t.kind, options: Object.entries(t.kinds).map(([value, label]) => ({ value, label })) },
          { name: 'is_active', label: t.state, options: [{ value: 'true', label: t.active }, { value: 'false', label: t.inactive }] },
        ]}
        rowKey={(row) => row.id}
        rowLink={(row) => `/channels/${row.id}`}
        empty={
          <Empty title={t.empty} action={begin}>
            {t.emptyHint}
          </Empty>
        }
      />
      {search.new && begin && (
        <FormDialog
          title={t.create}
          fields={(values) => channelFields(t, values.kind as Channel['kind'] | undefined, projects, true)}
          onClose={() => setSearch({ new: undefined })}
          onSubmit={async (body) => setMade(await create.mutateAsync({ body: body as unknown as Schema<'ChannelCreate'> }))}
        />
      )}
      {made && <ChannelSecretDialog channel={made} onClose={() => void navigate({ to: `/channels/${made.id}` })} />}
    </Page>
  )
}
