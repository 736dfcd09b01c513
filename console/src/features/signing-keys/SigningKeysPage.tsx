import { RotateCw } from 'lucide-react'
import { useState } from 'react'
import { useChange } from '@/api/hooks'
import { useCan } from '@/api/session'
import type { Schema } from '@/api/types'
import { useWords } from '@/i18n/words'
import type { Column } from '@/list/DataTable'
import { ResourceList } from '@/list/ResourceList'
import { Badge } from '@/ui/Badge'
import { Button } from '@/ui/Button'
import { ConfirmDialog } from '@/ui/Dialog'
import { Empty } from '@/ui/Feedback'
import { Page } from '@/ui/Page'
import { Time } from '@/ui/Time'
import { useMessages } from './messages'

type SigningKey = Schema<'SigningKeyView'>

export default function SigningKeysPage() {
  const t = useMessages()
  const w = useWords()
  const can = useCan()
  const [isRotating, setRotating] = useState(false)
  const rotate = useChange('post', '/api/v1/signing_keys/rotate', ['/api/v1/signing_keys'])
  const columns: Column<SigningKey>[] = [
    { id: 'kid', header: t.kid, cell: (key) => <code>{key.kid}</code>, value: (key) => key.kid },
    { id: 'state', header: w.state, cell: (key) => <Badge tone={key.retired_at ? 'neutral' : 'success'}>{key.retired_at ? t.retired : t.current}</Badge>, value: (key) => (key.retired_at ? 'retired' : 'current') },
    { id: 'algorithm', header: t.algorithm, cell: (key) => key.algorithm, value: (key) => key.algorithm },
    { id: 'created', header: w.created, cell: (key) => <Time at={key.created_at} />, value: (key) => key.created_at },
    { id: 'retired', header: t.retiredAt, cell: (key) => <Time at={key.retired_at} />, value: (key) => key.retired_at },
  ]
  return (
    <Page
      title={t.title}
      description={
        <>
          {t.description} <a href="/.well-known/jwks.json">/.well-known/jwks.json</a>
        </>
      }
      actions={
        can('signing_keys:write') && (
          <Button icon={<RotateCw size={16} />} onClick={() => setRotating(true)}>
            {t.rotate}
          </Button>
        )
      }
    >
      <ResourceList path="/api/v1/signing_keys" label={t.title} columns={columns} rowKey={(key) => key.id} empty={<Empty title={t.empty}>{t.emptyHint}</Empty>} />
      <ConfirmDialog title={t.rotateTitle} description={t.rotateHint} action={t.rotate} isOpen={isRotating} onClose={() => setRotating(false)} onConfirm={() => rotate.mutateAsync({})} />
    </Page>
  )
}
