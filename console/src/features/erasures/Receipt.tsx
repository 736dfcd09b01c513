import { Download, KeyRound } from 'lucide-react'
import { useRead } from '@/api/hooks'
import type { ApiError } from '@/api/request'
import { DataTable } from '@/list/DataTable'
import { download } from '@/list/download'
import { save } from '@/list/export'
import { Badge } from '@/ui/Badge'
import { Button } from '@/ui/Button'
import { CodeBlock, JsonBlock } from '@/ui/Code'
import { Loaded } from '@/ui/Feedback'
import { Card, Facts } from '@/ui/Page'
import { notify } from '@/ui/Toasts'
import styles from './erasures.module.css'
import { useMessages } from './messages'

/** What a receipt says, as far as it is shown apart. */
interface Content {
  stays?: { place: string; what: string }[]
  overwritten?: { journal?: { complete: boolean }; database?: { database: string; complete: boolean; remains?: string[] } }
}

/** The receipt of a completed erasure: what stays and why, what was overwritten, and its signature. */
export function Receipt({ id }: { id: string }) {
  const t = useMessages()
  const receipt = useRead('/api/v1/erasures/{id}/receipt', { params: { id } })
  return (
    <Loaded query={receipt} lines={6}>
      {(data) => {
        const { stays = [], overwritten = {} } = data.receipt as Content
        return (
          <>
            <Card title={t.stays}>
              <DataTable
                label={t.stays}
                rows={stays}
                rowKey={({ place, what }) => `${place} ${what}`}
                columns={[
                  { id: 'place', header: t.place, cell: ({ place }) => <span>{t.places[place]} {/ /.test(place) || <code>{place}</code>}</span> },
                  { id: 'what', header: t.why, cell: ({ place, what }) => <span className={styles.reason}>{t.reasons[place] ?? <span lang="en">{what}</span>}</span> },
                ]}
              />
            </Card>
            <Card title={t.overwritten}>
              <Facts
                facts={[
                  [t.journal, overwritten.journal && <IsComplete value={overwritten.journal.complete} />],
                  [t.database, overwritten.database && <><code>{overwritten.database.database}</code> <IsComplete value={overwritten.database.complete} /></>],
                ]}
              />
              {overwritten.database?.remains && overwritten.database.remains.length > 0 && (
                <div>
                  <h3>{t.byYou}</h3>
                  <ul className={styles.remains}>
                    {overwritten.database.remains.map((each) => (
                      <li key={each}>{t.remains[each] ?? <span lang="en">{each}</span>}</li>
                    ))}
                  </ul>
                </div>
              )}
            </Card>
            <Card
              title={t.receipt}
              actions={
                <span className={styles.buttons}>
                  <Button icon={<KeyRound size={16} />} onClick={() => void download('/.well-known/jwks.json', 'jwks.json').catch((error: ApiError) => notify(error.message))}>
                    {t.downloadKeys}
                  </Button>
                  <Button look="primary" icon={<Download size={16} />} onClick={() => save(`${JSON.stringify(data, null, 2)}\n`, `receipt-${id}.json`, 'application/json')}>
                    {t.download}
                  </Button>
                </span>
              }
            >
              <JsonBlock value={data.receipt} label={t.receipt} />
              <h3>{t.signature}</h3>
              <p className={styles.help}>{t.signatureHelp}</p>
              <CodeBlock code={data.jws} label={t.signature} />
            </Card>
          </>
        )
      }}
    </Loaded>
  )
}

function IsComplete({ value }: { value: boolean }) {
  const t = useMessages()
  return <Badge tone={value ? 'success' : 'warning'}>{value ? t.complete : t.incomplete}</Badge>
}
