import { Link } from '@tanstack/react-router'
import { useSession } from '@/api/session'
import type { Schema } from '@/api/types'
import { useFormat } from '@/i18n/format'
import type { Column } from '@/list/DataTable'
import { ResourceList } from '@/list/ResourceList'
import { useSearchState } from '@/list/search'
import { Empty } from '@/ui/Feedback'
import { Page } from '@/ui/Page'
import { Time } from '@/ui/Time'
import { useMessages } from './messages'
import { splitMessage } from './trace'

type Group = Schema<'ErrorGroupView'>

const REFRESH_MS = 10_000

export default function GroupsPage() {
  const t = useMessages()
  const f = useFormat()
  const { session, projectId } = useSession()
  const [search] = useSearchState()
  const columns: Column<Group>[] = [
    { id: 'type', header: t.type, cell: (group) => <Link to={`/errors/${group.fingerprint}`} search={{ instance: search.instance } as never}>{group.error_type}</Link>, value: (group) => group.error_type },
    { id: 'message', header: t.message, cell: (group) => splitMessage(group.error_message).message, value: (group) => group.error_message },
    { id: 'count', header: t.count, isNumeric: true, cell: (group) => f.number(group.count), value: (group) => group.count },
    { id: 'first', header: t.firstSeen, cell: (group) => <Time at={group.first_seen} />, value: (group) => group.first_seen },
    { id: 'last', header: t.lastSeen, cell: (group) => <Time at={group.last_seen} />, value: (group) => group.last_seen },
    { id: 'fingerprint', header: t.fingerprint, isOptional: true, cell: (group) => <code>{group.fingerprint}</code>, value: (group) => group.fingerprint },
  ]
  return (
    <Page title={t.title} description={<>{t.description} {projectId && <Link to="/error-log">{t.descriptionAll}</Link>}</>}>
      <ResourceList
        path="/api/v1/error_groups"
        label={t.title}
        columns={columns}
        filters={session.operator ? [{ name: 'instance', label: t.scope, options: [{ value: 'true', label: t.scopes.instance }] }] : []}
        rowKey={(group) => group.id}
        refresh={REFRESH_MS}
        empty={<Empty title={t.empty} action={<Link to="/connect">{t.connect}</Link>}>{t.emptyHint}</Empty>}
      />
    </Page>
  )
}
