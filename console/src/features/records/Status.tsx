import type { Schema } from '@/api/types'
import { NONE } from '@/i18n/format'
import { Badge } from '@/ui/Badge'
import { useMessages } from './messages'

/** The status of a response, or whether the request failed where there is none. */
export function Status({ record }: { record: Schema<'PerformanceRecordView'> }) {
  const t = useMessages()
  return <Badge tone={record.is_error ? 'danger' : 'success'}>{record.response_info.status_code ?? (record.is_error ? t.failed : t.succeeded)}</Badge>
}

const GOOD = 90
const FAIR = 70

/** A score of the rules, 0 to 100. */
export function Score({ score }: { score: number | null | undefined }) {
  if (score == null) return NONE
  return <Badge tone={score >= GOOD ? 'success' : score >= FAIR ? 'warning' : 'danger'}>{score}</Badge>
}
