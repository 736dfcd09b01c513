/** Every permission, grouped by what it is about. */
export const PERMISSION_GROUPS = {
  gateway: ['gateway:call'],
  tenants: ['tenants:read', 'tenants:write', 'tenants:open'],
  users: ['users:read', 'users:write'],
  roles: ['roles:read', 'roles:write'],
  login_sessions: ['login_sessions:read', 'login_sessions:write'],
  projects: ['projects:read', 'projects:write'],
  api_keys: ['api_keys:read', 'api_keys:write'],
  tokens: ['tokens:create'],
  token_issuers: ['token_issuers:read', 'token_issuers:write'],
  signing_keys: ['signing_keys:read', 'signing_keys:write'],
  chat_sessions: ['chat_sessions:read', 'chat_sessions:write', 'chat_sessions:all'],
  messages: ['messages:read', 'messages:write'],
  turns: ['turns:read', 'turns:write'],
  user_preferences: ['user_preferences:read', 'user_preferences:write', 'user_preferences:all'],
  tool_calls: ['tool_calls:read'],
  ai_providers: ['ai_providers:read', 'ai_providers:write'],
  model_prices: ['model_prices:read', 'model_prices:write'],
  model_routes: ['model_routes:read', 'model_routes:write'],
  limits: ['limits:read', 'limits:write'],
  usage: ['usage:read'],
  llm_calls: ['llm_calls:read'],
  channels: ['channels:read', 'channels:write'],
  webhook_deliveries: ['webhook_deliveries:read', 'webhook_deliveries:write'],
  telemetry: ['telemetry:send'],
  performance_records: ['performance_records:read'],
  rejected_records: ['rejected_records:read', 'rejected_records:write'],
  performance_metrics: ['performance_metrics:read'],
  ai_analysis_results: ['ai_analysis_results:read', 'ai_analysis_results:write'],
  suggestions: ['suggestions:read', 'suggestions:write'],
  alert_rules: ['alert_rules:read', 'alert_rules:write'],
  alert_events: ['alert_events:read', 'alert_events:write'],
  requirements: ['requirements:read', 'requirements:write'],
  prd_docs: ['prd_docs:read', 'prd_docs:write'],
  tech_designs: ['tech_designs:read', 'tech_designs:write'],
  api_specs: ['api_specs:read', 'api_specs:write'],
  documents: ['documents:approve'],
  jobs: ['jobs:read', 'jobs:write'],
  erasures: ['erasures:read', 'erasures:write', 'erasures:all'],
  exports: ['exports:read', 'exports:all'],
  audit_logs: ['audit_logs:read'],
  api_logs: ['api_logs:read'],
  error_logs: ['error_logs:read'],
  system_config: ['system_config:read', 'system_config:write'],
  journal_quarantine: ['journal_quarantine:read'],
  database: ['database:read'],
  metrics: ['metrics:read'],
} as const satisfies Record<string, readonly string[]>

export type PermissionGroup = keyof typeof PERMISSION_GROUPS

export const GROUPS = Object.keys(PERMISSION_GROUPS) as PermissionGroup[]

/** All permissions as one. */
export const ALL = '*'

/** Whether a list of permissions contains one, be it by `*`. */
export function includes(permissions: readonly string[], permission: string): boolean {
  return permissions.includes(ALL) || permissions.includes(permission)
}

/** A list of permissions with one added or taken away, in the order in which they are shown. */
export function toggled(permissions: readonly string[], permission: string): string[] {
  const changed = permissions.includes(permission) ? permissions.filter((each) => each !== permission) : [...permissions, permission]
  const order = [ALL, ...GROUPS.flatMap((group) => PERMISSION_GROUPS[group] as readonly string[])]
  return changed.sort((a, b) => order.indexOf(a) - order.indexOf(b))
}

/** The verb of a permission: `read` of `users:read`. */
export function verbOf(permission: string): string {
  return permission.slice(permission.indexOf(':') + 1)
}
