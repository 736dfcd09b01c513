import { ApiError, request } from '@/api/request'
import { type Feature, isId } from '@/feature'

const RULE = { en: 'Alert rule', zh: '告警规则' }
const INCIDENT = { en: 'Incident', zh: '告警事件' }

export const alerts: Feature = {
  routes: [
    { path: '/alerts', load: () => import('./AlertsPage') },
    { path: '/alerts/$id', load: () => import('./AlertPage') },
    { path: '/alert-rules', load: () => import('./RulesPage') },
  ],
  navigation: [
    { section: 'insight', order: 70, path: '/alerts', label: { en: 'Alerts', zh: '告警' }, permission: 'alert_events:read' },
    { section: 'insight', order: 71, path: '/alert-rules', label: { en: 'Alert rules', zh: '告警规则' }, permission: 'alert_rules:read' },
  ],
  finders: [
    {
      permission: 'alert_rules:read',
      find: async (text) => {
        const { data } = await request('get', '/api/v1/alert_rules', { query: { name: text, limit: 5 } })
        return data.map((rule) => ({ label: rule.name, kind: RULE, path: `/alert-rules?rule=${rule.id}` }))
      },
    },
    {
      permission: 'alert_events:read',
      find: async (text) => {
        if (!isId(text)) return []
        try {
          const event = await request('get', '/api/v1/alert_events/{id}', { params: { id: text } })
          return [{ label: String((event.context.rule as { name?: string }).name), kind: INCIDENT, path: `/alerts/${event.id}` }]
        } catch (error) {
          if (error instanceof ApiError && error.status === 404) return []
          throw error
        }
      },
    },
  ],
}
