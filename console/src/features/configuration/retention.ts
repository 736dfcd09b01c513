import type { Schema } from '@/api/types'
import { hasPath } from './fields'

type Setting = Schema<'SystemConfigView'>

/** A kind of data, and the field that says how long it is kept. */
export interface Kept {
  key: string
  field: string
  unit: 'days' | 'hours'
  name: { en: string; zh: string }
}

const days = (key: string, field: string, en: string, zh: string): Kept => ({ key, field, unit: 'days', name: { en, zh } })

export const RETENTION_KEY = 'records.retention'

/** What `records.retention` says also for single projects. */
export const PROJECT_FIELDS = ['llm_call_bodies_days', 'llm_calls_days', 'api_logs_days', 'error_logs_days'] as const

/** Everything that is deleted by age. */
export const KEPT: Kept[] = [
  days(RETENTION_KEY, 'llm_call_bodies_days', 'Requests and responses of model calls', '模型调用的请求与响应体'),
  days(RETENTION_KEY, 'llm_calls_days', 'Model calls', '模型调用'),
  days(RETENTION_KEY, 'tool_calls_days', 'Tool calls with arguments and results', '工具调用（含参数与结果）'),
  days(RETENTION_KEY, 'turn_events_days', 'Streams of turns', '轮次的流'),
  days(RETENTION_KEY, 'api_logs_days', 'Request records', 'API 请求日志'),
  days(RETENTION_KEY, 'error_logs_days', 'Error records', '错误日志'),
  days(RETENTION_KEY, 'quarantine_days', 'Journal frames in quarantine', '日志隔离帧'),
  days('insight.storage', 'records_days', 'Requests of applications with their calls, metric values', '应用的请求及其调用、指标数值'),
  days('insight.storage', 'history_days', 'Analyses, resolved incidents', '分析结果、已恢复的告警事件'),
  days('insight.storage', 'minute_stats_days', 'Statistics by minute', '分钟级统计'),
  days('insight.storage', 'hour_stats_days', 'Statistics by hour', '小时级统计'),
  days('insight.storage', 'day_stats_days', 'Statistics by day', '天级统计'),
  days('insight.ingest', 'rejected_days', 'Rejected records', '被拒记录'),
  days('webhooks.deliveries', 'keep_days', 'Deliveries that have ended', '已结束的投递'),
  days('conversation.channels', 'remember_days', 'IDs of incoming messages of channels', '渠道收到的消息 ID'),
  { key: 'system_limits.idempotency', field: 'remember_hours', unit: 'hours', name: { en: 'Responses stored for idempotency keys', zh: '幂等键的响应' } },
]

/** A kind of data with how long it is kept; null is for ever. */
export interface KeptFor extends Kept {
  value: number | null
  source: Setting['source']
}

/** How long the data is kept whose settings the caller may see. */
export function keptFor(settings: Setting[]): KeptFor[] {
  return KEPT.flatMap((kept) => {
    const setting = settings.find(({ config_key }) => config_key === kept.key)
    if (!setting) return []
    const value = (setting.config_value as Record<string, number | null>)[kept.field] ?? null
    return [{ ...kept, value, source: sourceOf(setting, kept.field) }]
  })
}

/** The level at which a field is set: the setting's own source says it only of the setting as a whole. */
function sourceOf(setting: Setting, field: string): Setting['source'] {
  if (hasPath(setting.set_value ?? {}, field)) return setting.level
  const [now, byDefault] = [setting.config_value, setting.default_value].map((value) => (value as Record<string, unknown>)[field])
  return now === byDefault ? 'default' : 'global'
}
