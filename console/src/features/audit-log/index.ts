import { ApiError, request } from '@/api/request'
import { type Feature, isId } from '@/feature'

const KIND = { en: 'Audited change', zh: '审计记录' }

export const auditLog: Feature = {
  routes: [
    { path: '/audit-log', load: () => import('./AuditLogPage') },
    { path: '/audit-log/$id', load: () => import('./ChangePage') },
  ],
  navigation: [{ section: 'system', order: 70, path: '/audit-log', label: { en: 'Audit log', zh: '审计日志' }, permission: 'audit_logs:read' }],
  finders: [
    {
      permission: 'audit_logs:read',
      find: async (text) => {
        if (!isId(text)) return []
        try {
          const change = await request('get', '/api/v1/audit_logs/{id}', { params: { id: text } })
          return [{ label: `${change.action} ${change.resource_type}`, kind: KIND, path: `/audit-log/${change.id}` }]
        } catch (error) {
          if (!(error instanceof ApiError && error.status === 404)) throw error
        }
        const { data } = await request('get', '/api/v1/audit_logs', { query: { resource_id: text, limit: 3 } })
        return data.map((change) => ({ label: `${change.action} ${change.resource_type}`, kind: KIND, path: `/audit-log/${change.id}` }))
      },
    },
  ],
}
