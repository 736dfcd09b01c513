/** The page of a thing by its table and id, where the console has one. */
export function resourcePath(type: string, id: string): string | null {
  const withPage: Record<string, string> = {
    users: '/users',
    chat_sessions: '/chat',
    system_config: '/configuration',
    channels: '/channels',
    jobs: '/jobs',
    erasures: '/erasures',
    webhook_deliveries: '/deliveries',
    rejected_records: '/rejected-records',
    ai_analysis_results: '/analyses',
    alert_events: '/alerts',
    llm_calls: '/calls',
  }
  const withList: Record<string, string> = {
    roles: '/roles',
    api_keys: '/keys',
    projects: '/projects',
    tenants: '/tenants',
    ai_providers: '/providers',
    model_routes: '/routes',
    model_prices: '/prices',
    limits: '/limits',
    alert_rules: '/alert-rules',
    token_issuers: '/token-issuers',
    login_sessions: '/login-sessions',
    signing_keys: '/signing-keys',
    suggestions: '/suggestions',
  }
  return withPage[type] ? `${withPage[type]}/${id}` : (withList[type] ?? null)
}
