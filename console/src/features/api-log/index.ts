import { request } from '@/api/request'
import { type Feature, isId } from '@/feature'

const KIND = { en: 'Request record', zh: 'API 请求' }

export const apiLog: Feature = {
  routes: [
    { path: '/api-log', load: () => import('./ApiLogPage') },
    { path: '/api-log/$id', load: () => import('./RequestPage') },
  ],
  navigation: [{ section: 'system', order: 80, path: '/api-log', label: { en: 'API log', zh: 'API 日志' }, permission: 'api_logs:read' }],
  finders: [
    {
      permission: 'api_logs:read',
      find: async (text) => {
        if (!isId(text)) return []
        const { data } = await request('get', '/api/v1/api_logs', { query: { request_id: text, limit: 3 } })
        return data.map((row) => ({ label: `${row.method} ${row.path}`, kind: KIND, path: `/api-log/${row.id}` }))
      },
    },
  ],
}
