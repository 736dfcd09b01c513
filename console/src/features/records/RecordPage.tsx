import { useParams } from '@tanstack/react-router'
import { Download } from 'lucide-react'
import { useState } from 'react'
import { useRead } from '@/api/hooks'
import { type ApiError, headersOf, send, urlOf } from '@/api/request'
import type { Schema } from '@/api/types'
import { save } from '@/list/export'
import { Button } from '@/ui/Button'
import { Loaded } from '@/ui/Feedback'
import { Menu } from '@/ui/Menu'
import { Page } from '@/ui/Page'
import { notify } from '@/ui/Toasts'
import { Advice } from './Advice'
import { CallsView } from './CallsView'
import { Details, Figures } from './Facts'
import { useMessages } from './messages'
import { useFirstCalls } from './useCalls'

export default function RecordPage() {
  const t = useMessages()
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  const record = useRead('/api/v1/performance_records/{id}', { params: { id } })
  // Read together with the record, not after it: those of 50,000 calls take as long.
  useFirstCalls(id)
  // Until another record is there, the one before stands for it.
  const shown = record.data?.id === id ? record : { ...record, data: undefined }
  return (
    <Page title={shown.data?.endpoint ?? t.record} parent={{ title: t.title, to: '/records' }} actions={shown.data && <Export record={shown.data} />}>
      <Loaded query={shown} lines={12}>
        {(data) => (
          <>
            <Figures record={data} />
            <CallsView key={data.id} record={data} />
            <Advice record={data} />
            <Details record={data} />
          </>
        )}
      </Loaded>
    </Page>
  )
}

const FORMATS = { json: 'json', folded: 'folded.txt', speedscope: 'speedscope.json' } as const

function Export({ record }: { record: Schema<'PerformanceRecordView'> }) {
  const t = useMessages()
  const [isBusy, setBusy] = useState(false)
  async function download(format: keyof typeof FORMATS) {
    setBusy(true)
    try {
      const response = await send(urlOf('/api/v1/performance_records/{id}/export', { id: record.id }, { format }), { headers: headersOf('get') })
      save(await response.text(), `${record.trace_id}.${FORMATS[format]}`, response.headers.get('content-type') ?? 'application/json')
    } catch (error) {
      notify((error as ApiError).message)
    } finally {
      setBusy(false)
    }
  }
  return (
    <Menu
      trigger={
        <Button icon={<Download size={16} />} isBusy={isBusy}>
          {t.export}
        </Button>
      }
      groups={[{ items: (Object.keys(FORMATS) as (keyof typeof FORMATS)[]).map((format) => ({ label: t.exports[format], onSelect: () => void download(format) })) }]}
    />
  )
}
