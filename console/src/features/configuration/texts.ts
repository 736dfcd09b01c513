import type { Language } from '@/i18n/language'

/** Names of a key and of its fields, English and Chinese. The API explains keys in English. */
interface KeyNames {
  name: [en: string, zh: string]
  helpZh: string
  fields: Record<string, [en: string, zh: string]>
}

const KEYS: Record<string, KeyNames> = {
  'ai_service.calls': {
    name: ['Recording of model calls', '模型调用的记录'],
    helpZh: '是否记录模型调用的请求与响应体（false：不记录；未设置：按服务器配置 gateway.record_bodies），以及请求未限定响应长度时，预算中预留多少 Token（未设置：按 gateway.expected_answer_tokens）。',
    fields: { record_bodies: ['Record bodies', '记录请求与响应体'], expected_answer_tokens: ['Tokens reserved for a response', '为响应预留的 Token 数'] },
  },
  'alert_rules.evaluation': {
    name: ['Evaluation of alert rules', '告警规则的评估'],
    helpZh: '是否评估告警规则、评估间隔（至少 15 秒），以及每个项目的规则数和每条规则的邮箱数上限。',
    fields: {
      enabled: ['Evaluate alert rules', '启用评估'],
      interval_seconds: ['Interval (seconds)', '评估间隔（秒）'],
      max_rules_per_project: ['Most rules of a project', '每个项目的规则数上限'],
      max_recipients: ['Most e-mail addresses of a rule', '每条规则的邮箱数上限'],
    },
  },
  'conversation.channels': {
    name: ['Channels', '渠道'],
    helpZh: '渠道的限额：消息大小、每个渠道在每个节点上每分钟的消息数、一个聊天中等待回复的消息数，以及事件 ID 的保留天数（仅实例级）。',
    fields: {
      max_event_bytes: ['Largest message (bytes)', '消息大小上限（字节）'],
      events_per_minute: ['Messages per minute', '每分钟消息数'],
      waiting_per_chat: ['Waiting messages of a chat', '每个聊天的等待消息数'],
      remember_days: ['Event IDs kept (days)', '事件 ID 保留天数'],
    },
  },
  'conversation.context': {
    name: ['Context of conversations', '对话上下文'],
    helpZh: '会话没有单独设置时，向模型发送多少对话内容：Token 数与消息数上限、超出部分的处理方式（丢弃最早的消息或生成摘要），以及各模型的上下文窗口。',
    fields: {
      max_tokens: ['Most tokens', 'Token 数上限'],
      max_messages: ['Most messages', '消息数上限'],
      overflow: ['What happens to the rest', '超出部分的处理'],
      keep_last: ['Last messages that are always sent', '始终发送的最近消息数'],
      summary_model: ['Model that summarizes', '生成摘要的模型'],
      windows: ['Context windows by model name', '各模型的上下文窗口'],
      default_window: ['Context window of other models', '其他模型的上下文窗口'],
      answer_tokens: ['Tokens left for the answer', '为回答预留的 Token 数'],
    },
  },
  'conversation.turns': {
    name: ['Turns', '轮次'],
    helpZh: '轮次的运行方式：轮次和会话都未指定模型时使用的模型、一个会话可同时运行或等待的轮次数、模型可请求工具的次数，以及客户端工具和整个回答的时限。',
    fields: {
      default_model: ['Default model', '默认模型'],
      queue: ['Turns running or waiting per session', '每个会话运行与等待的轮次数'],
      tool_rounds: ['Rounds of tool calls', '工具调用轮数'],
      tool_result_seconds: ['Wait for the client’s tools (seconds)', '客户端工具时限（秒）'],
      max_seconds: ['Longest answer (seconds)', '回答时限（秒）'],
    },
  },
  'insight.analysis': {
    name: ['Analyses by a model', '模型分析'],
    helpZh: '由模型分析慢请求：使用的模型（未设置：不分析）、每个项目每天的预算、输入与输出的上限、自动分析哪些请求，以及多久分析一次最慢的接口。projects 按项目 ID 单独设置。',
    fields: {
      model: ['Model', '模型'],
      usd_per_day: ['Budget per project and day (US$)', '每个项目每天的预算（美元）'],
      max_prompt_bytes: ['Longest input (bytes)', '输入上限（字节）'],
      max_answer_tokens: ['Longest output (tokens)', '输出上限（Token）'],
      structured: ['Ask for structured output', '要求结构化输出'],
      score_below: ['Analyse requests with a score below', '自动分析评分低于此值的请求'],
      scheduled_hours: ['Analyse the slowest endpoints every … hours (0: never)', '每隔多少小时分析最慢接口（0：不分析）'],
      scheduled_endpoints: ['Endpoints each time', '每次分析的接口数'],
      projects: ['Single projects, by ID', '按项目 ID 单独设置'],
    },
  },
  'insight.ingest': {
    name: ['Limits of telemetry', '遥测上报限额'],
    helpZh: '各种格式遥测数据的限额：请求体大小（压缩与解压后）、数据年龄、每个项目每分钟的请求数与字节数（留空：不限），以及每个项目保存的被拒记录数和天数；每批记录数和每条记录的调用数。',
    fields: {
      max_body_bytes: ['Largest body as sent (bytes)', '请求体上限（字节）'],
      max_unpacked_bytes: ['Largest body decompressed (bytes)', '解压后上限（字节）'],
      max_age_days: ['Oldest data (days)', '数据年龄上限（天）'],
      max_records: ['Records of a batch', '每批记录数'],
      max_calls: ['Calls of a record', '每条记录的调用数'],
      requests_per_minute: ['Requests per minute', '每分钟请求数'],
      bytes_per_minute: ['Bytes per minute', '每分钟字节数'],
      max_rejected: ['Rejected records kept per project', '每个项目保存的被拒记录数'],
      rejected_days: ['Rejected records kept (days)', '被拒记录保留天数'],
    },
  },
  'insight.metrics': {
    name: ['Limits of metrics', '指标限额'],
    helpZh: '每个项目每天的时间序列数，以及每次请求的数值个数。',
    fields: { max_series: ['Series per project and day', '每个项目每天的序列数'], max_values: ['Values of a request', '每次请求的数值数'] },
  },
  'insight.otlp': {
    name: ['Limits of OTLP', 'OTLP 限额'],
    helpZh: 'OTLP 上报的限额：一次请求的 Span 或指标数，以及保存的 Span 属性的数量与长度。',
    fields: {
      max_items: ['Spans or values of a request', '每次请求的 Span 或数值数'],
      max_attribute_bytes: ['Longest attribute (bytes)', '属性长度上限（字节）'],
      max_attributes: ['Attributes of a span', '每个 Span 的属性数'],
    },
  },
  'insight.rules': {
    name: ['Thresholds of the diagnosis', '诊断规则阈值'],
    helpZh: '诊断规则的阈值：时间单位为毫秒，比例为 0 到 1，其余为次数。',
    fields: {
      slow_request_ms: ['Slow request (ms)', '慢请求（毫秒）'],
      slow_query_ms: ['Slow query (ms)', '慢查询（毫秒）'],
      slow_call_ms: ['Slow call (ms)', '慢调用（毫秒）'],
      repeated_queries: ['Repeated queries', '重复查询次数'],
      few_repeated: ['Repeated queries, if they take long', '耗时较长时的重复查询次数'],
      repeated_ms: ['Time of few repeated queries (ms)', '少量重复查询的耗时（毫秒）'],
      repeated_calls: ['Repeated calls', '重复调用次数'],
      hot_share: ['Share of a hot function', '热点函数占比'],
      hot_ms: ['Time of a hot function (ms)', '热点函数耗时（毫秒）'],
      external_share: ['Share of external calls', '外部调用占比'],
      external_ms: ['Time of external calls (ms)', '外部调用耗时（毫秒）'],
      sequential_awaits: ['Sequential waits', '串行等待次数'],
      sequential_ms: ['Time of sequential waits (ms)', '串行等待耗时（毫秒）'],
      cache_misses: ['Cache misses', '缓存未命中次数'],
      cache_miss_share: ['Share of cache misses', '缓存未命中占比'],
      memory_growth_mb: ['Growth of memory (MB)', '内存增长（MB）'],
      recursion_depth: ['Depth of recursion', '递归深度'],
      recursion_calls: ['Calls of a recursion', '递归调用次数'],
      swallowed_exceptions: ['Swallowed exceptions', '被吞掉的异常数'],
      first_byte_ms: ['Slow first byte (ms)', '首字节过慢（毫秒）'],
      model_first_byte_ms: ['Slow first byte of a model (ms)', '模型首字节过慢（毫秒）'],
    },
  },
  'insight.storage': {
    name: ['Storage of telemetry', '遥测数据存储'],
    helpZh: '遥测数据的存储：每条 Trace 的调用数、数据允许迟到多久、空闲多久后合并，请求、统计、分析和事件的保留天数，以及统计中不同接口、函数和版本的数量。',
    fields: {
      max_calls_per_trace: ['Calls of a trace', '每条 Trace 的调用数'],
      late_days: ['Late parts are accepted for (days)', '迟到数据接收期限（天）'],
      records_days: ['Requests with their calls (days)', '请求及其调用（天）'],
      history_days: ['Analyses and incidents (days)', '分析与告警事件（天）'],
      minute_stats_days: ['Statistics by minute (days)', '分钟级统计（天）'],
      hour_stats_days: ['Statistics by hour (days)', '小时级统计（天）'],
      day_stats_days: ['Statistics by day (days)', '天级统计（天）'],
      quiet_seconds: ['A trace is merged after (seconds)', 'Trace 空闲多久后合并（秒）'],
      max_endpoints: ['Endpoints of a project', '每个项目的接口数'],
      max_functions: ['Functions of a project', '每个项目的函数数'],
      max_versions: ['Versions of a project', '每个项目的版本数'],
    },
  },
  'records.api_logs': {
    name: ['Recording of requests', 'API 请求日志'],
    helpZh: '哪些请求记入 api_logs（比例为 0 到 1），以及是否包含请求与响应体。',
    fields: {
      sampling: ['Share that is recorded (0 to 1)', '记录比例（0 到 1）'],
      'sampling.writes': ['Requests that change something', '写请求'],
      'sampling.reads': ['Requests that read', '读请求'],
      'sampling.calls': ['Model calls', '模型调用'],
      'sampling.errors': ['Failed requests', '失败的请求'],
      bodies: ['Record bodies', '记录请求与响应体'],
      max_body_bytes: ['Longest body (bytes)', '请求与响应体上限（字节）'],
    },
  },
  'records.error_logs': {
    name: ['Recording of errors', '错误日志'],
    helpZh: '是否把错误记入 error_logs，以及每秒最多记录多少条。',
    fields: { enabled: ['Record errors', '记录错误'], max_per_second: ['Most errors per second', '每秒上限'] },
  },
  'records.retention': {
    name: ['Retention', '数据保留'],
    helpZh: '请求、错误、模型调用、调用的请求与响应体、工具调用、轮次的流和隔离帧保留多少天；留空表示永久保留。projects 按项目 ID 设置不同的天数。',
    fields: {
      api_logs_days: ['Request records (days)', 'API 请求日志（天）'],
      error_logs_days: ['Error records (days)', '错误日志（天）'],
      quarantine_days: ['Frames in quarantine (days)', '隔离帧（天）'],
      llm_calls_days: ['Model calls (days)', '模型调用（天）'],
      llm_call_bodies_days: ['Requests and responses of model calls (days)', '模型调用的请求与响应体（天）'],
      tool_calls_days: ['Tool calls (days)', '工具调用（天）'],
      turn_events_days: ['Streams of turns (days)', '轮次的流（天）'],
      projects: ['Single projects, by ID', '按项目 ID 单独设置'],
    },
  },
  'security.cors': {
    name: ['Web origins', '跨域来源'],
    helpZh: '哪些网页来源可以使用没有自己来源列表的凭据，例如 https://app.example.com；* 表示全部。',
    fields: { allowed_origins: ['Allowed origins', '允许的来源'] },
  },
  'system_limits.database': {
    name: ['Slow statements', '慢 SQL'],
    helpZh: '执行时间达到多少毫秒的语句视为慢语句，记入日志并计数。',
    fields: { slow_statement_ms: ['Slow statement (ms)', '慢语句（毫秒）'] },
  },
  'system_limits.idempotency': {
    name: ['Idempotency keys', '幂等键'],
    helpZh: 'Idempotency-Key 的响应保存多少小时。',
    fields: { remember_hours: ['Responses kept (hours)', '响应保留时间（小时）'] },
  },
  'system_limits.requests': {
    name: ['Size of requests', '请求大小'],
    helpZh: '请求体的大小上限，不超过 server.max_body_bytes；留空则使用 server.max_body_bytes。',
    fields: { max_body_bytes: ['Largest body (bytes)', '请求体上限（字节）'] },
  },
  'webhooks.deliveries': {
    name: ['Deliveries', '投递'],
    helpZh: '向其他服务器投递的重试次数与时长，以及投递结束后保留多少天（天数仅实例级）。',
    fields: {
      max_attempts: ['Attempts', '尝试次数'],
      first_pause_ms: ['First pause (ms)', '首次重试间隔（毫秒）'],
      longest_pause_ms: ['Longest pause (ms)', '最长重试间隔（毫秒）'],
      timeout_ms: ['Time-out of an attempt (ms)', '单次超时（毫秒）'],
      keep_days: ['Kept afterwards (days)', '结束后保留天数'],
    },
  },
}

/** The name and explanation of a key. Keys that are new are named by themselves and explained by the API. */
export function keyText(key: string, language: Language, description = ''): { name: string; help: string } {
  const known = KEYS[key]
  const sentence = description && `${description.charAt(0).toUpperCase()}${description.slice(1)}.`.replaceAll('`', '')
  return { name: known?.name[language === 'zh' ? 1 : 0] ?? key, help: language === 'zh' && known ? known.helpZh : sentence }
}

/** The name of a field, if it has one. */
export function fieldText(key: string, path: string, language: Language): string | undefined {
  return KEYS[key]?.fields[path]?.[language === 'zh' ? 1 : 0]
}
