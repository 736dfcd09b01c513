import { useParams } from '@tanstack/react-router'
import { Download } from 'lucide-react'
import { useRead } from '@/api/hooks'
import { useFormat } from '@/i18n/format'
import { saveBlob } from '@/list/download'
import { Button } from '@/ui/Button'
import { CodeBlock, Id } from '@/ui/Code'
import { Loaded } from '@/ui/Feedback'
import { Card, Facts, Page } from '@/ui/Page'
import { DateTime } from '@/ui/Time'
import { bytesOf } from './frame'
import { useMessages } from './messages'

export default function FramePage() {
  const t = useMessages()
  const f = useFormat()
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  const frame = useRead('/api/v1/journal_quarantine/{id}', { params: { id } })
  return (
    <Page title={t.frame} parent={{ title: t.title, to: '/quarantine' }}>
      <Loaded query={frame} lines={8}>
        {(data) => {
          const bytes = bytesOf(data.frame)
          return (
            <>
              <Card>
                <Facts
                  facts={[
                    [t.kind, t.kinds[data.kind] ?? t.otherKind(data.kind)],
                    [t.time, <DateTime at={data.created_at} />],
                    [t.node, <Id id={data.node_id} />],
                    [t.position, f.number(data.position)],
                    [t.size, f.bytes(bytes.length)],
                  ]}
                />
              </Card>
              <Card title={t.reason}>
                <CodeBlock code={data.reason} label={t.reason} />
              </Card>
              <Card
                title={t.bytes}
                actions={
                  <Button icon={<Download size={16} />} onClick={() => saveBlob(new Blob([bytes]), `frame-${data.id}.bin`)}>
                    {t.download}
                  </Button>
                }
              >
                <CodeBlock code={data.frame} label={t.bytes} />
              </Card>
            </>
          )
        }}
      </Loaded>
    </Page>
  )
}
