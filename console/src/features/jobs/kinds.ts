import type { Language } from '@/i18n/language'

/** What the kinds of jobs do, English and Chinese. */
export const KINDS: Record<string, [en: string, zh: string]> = {
  'ai_analysis_results.run': ['Analyse a request by a model', '用模型分析请求'],
  'ai_analysis_results.scheduled': ['Create scheduled analyses', '创建定时分析'],
  'alert_rules.evaluate': ['Evaluate alert rules', '评估告警规则'],
  'channels.forget_events': ['Delete old IDs of channel messages', '删除过期的渠道消息 ID'],
  'channels.reply': ['Reply in a channel', '在渠道中回复'],
  'chat_sessions.delete_messages': ['Delete the messages of a deleted session', '删除会话的消息'],
  'conversation.keep_exchange': ['Store the messages of a call', '补存调用的消息'],
  'db.ensure_partitions': ['Create the coming partitions', '创建后续分区'],
  'db.forget_old': ['Delete old idempotency keys and notices', '删除过期的幂等键与通知'],
  'db.truncate_log': ['Truncate SQLite’s write-ahead log', '截断 SQLite 预写日志'],
  'erasures.run': ['Erase a subject', '执行数据抹除'],
  'identity.renew_keys': ['Rotate signing keys', '轮换签名密钥'],
  'insight.delete_old': ['Delete old telemetry', '删除过期的遥测数据'],
  'insight.finalise_traces': ['Merge traces', '合并 Trace'],
  'jobs.delete_finished': ['Delete old jobs', '删除过期的任务'],
  'llm_calls.delete_old': ['Delete old calls', '删除过期的模型调用'],
  'messages.forget': ['Remove a deleted message from calls', '从调用中清除已删除的消息'],
  'projects.apply_alert_thresholds': ['Set the alert rules of a project', '设置项目的告警规则'],
  'projects.delete_telemetry': ['Delete the telemetry of a deleted project', '删除项目的遥测数据'],
  'projects.detach_sessions': ['Detach sessions from a deleted project', '解除会话与已删除项目的关联'],
  'records.delete_old': ['Delete old request and error records', '删除过期的请求与错误日志'],
  'rejected_records.delete_old': ['Delete old rejected records', '删除过期的被拒记录'],
  'suggestions.collect': ['Collect suggestions', '收集优化建议'],
  'suggestions.measure_gains': ['Measure the gain of suggestions', '测量建议的收益'],
  'tenants.prepare_providers': ['Create the providers of a new tenant', '为新租户创建供应商'],
  'tool_calls.end_lost': ['Mark lost tool calls', '标记丢失的工具调用'],
  'turns.delete_old_events': ['Delete old streams of turns', '删除过期的轮次流'],
  'users.delete_chat_sessions': ['Delete the sessions of a deleted user', '删除用户的会话'],
  'webhook_deliveries.attempt': ['Attempt a delivery', '尝试投递'],
  'webhook_deliveries.delete_old': ['Delete old deliveries', '删除过期的投递'],
}

/** What a job does, if that is known. */
export function kindText(kind: string, language: Language): string | undefined {
  return KINDS[kind]?.[language === 'zh' ? 1 : 0]
}
