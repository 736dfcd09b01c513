import { useParams } from '@tanstack/react-router'
import { useRead } from '@/api/hooks'
import type { Schema } from '@/api/types'
import { useFormat } from '@/i18n/format'
import { DataTable } from '@/list/DataTable'
import { Actor } from '@/list/Names'
import { Id } from '@/ui/Code'
import { Loaded } from '@/ui/Feedback'
import { Card, Facts, Page } from '@/ui/Page'
import { DateTime } from '@/ui/Time'
import styles from './erasures.module.css'
import { useMessages } from './messages'
import { Receipt } from './Receipt'
import { StateBadge } from './StateBadge'

type Erasure = Schema<'ErasureView'>

const REFRESH_MS = 1_000

export default function ErasurePage() {
  const t = useMessages()
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  const erasure = useRead('/api/v1/erasures/{id}', { params: { id } }, { refresh: (data) => data?.state === 'running' && REFRESH_MS })
  return (
    <Page title={t.erasure} parent={{ title: t.title, to: '/erasures' }}>
      <Loaded query={erasure} lines={8}>
        {(data) => (
          <>
            <Card>
              <Facts
                facts={[
                  [t.state, <span role="status"><StateBadge state={data.state} /></span>],
                  [t.subjectType, t.types[data.subject_type]],
                  [t.subjectId, data.subject_id && <Id id={data.subject_id} />],
                  [t.digest, <Id id={data.subject_digest} />],
                  [t.actor, <Actor actor={data.actor} />],
                  [t.requested, <DateTime at={data.created_at} />],
                  [t.completed, data.completed_at && <DateTime at={data.completed_at} />],
                ]}
              />
              {data.state === 'running' && <p>{t.runs}</p>}
            </Card>
            <Removed erasure={data} />
            {data.state === 'completed' && <Receipt id={data.id} />}
          </>
        )}
      </Loaded>
    </Page>
  )
}

function Removed({ erasure }: { erasure: Erasure }) {
  const t = useMessages()
  const f = useFormat()
  const places = Object.entries(erasure.removed)
  return (
    <Card title={erasure.state === 'running' ? t.progress : t.removed}>
      {places.length === 0 ? (
        erasure.state === 'completed' && <p>{t.nothingRemoved}</p>
      ) : (
        <>
          <DataTable
            label={t.removed}
            rows={places}
            rowKey={([place]) => place}
            columns={[
              { id: 'place', header: t.place, cell: ([place]) => <span>{t.places[place]} <code>{place}</code></span> },
              { id: 'deleted', header: t.deleted, isNumeric: true, cell: ([, { deleted }]) => f.number(deleted) },
              { id: 'emptied', header: t.emptied, isNumeric: true, cell: ([, { emptied }]) => f.number(emptied) },
            ]}
          />
          <p className={styles.help}>{t.emptiedHelp}</p>
        </>
      )}
    </Card>
  )
}
