import { ApiError, request } from '@/api/request'
import { type Feature, isId } from '@/feature'

const KIND = { en: 'Error', zh: '错误' }

export const errors: Feature = {
  routes: [
    { path: '/errors', load: () => import('./GroupsPage') },
    { path: '/errors/$id', load: () => import('./GroupPage') },
    { path: '/error-log', load: () => import('./ErrorLogPage') },
  ],
  navigation: [
    { section: 'insight', order: 60, path: '/errors', label: { en: 'Errors', zh: '错误' }, permission: 'error_logs:read' },
    { section: 'system', order: 70, path: '/error-log', label: { en: 'Error log', zh: '错误日志' }, permission: 'error_logs:read' },
  ],
  finders: [
    {
      permission: 'error_logs:read',
      find: async (text) => {
        if (isId(text)) {
          try {
            const error = await request('get', '/api/v1/error_logs/{id}', { params: { id: text } })
            return [{ label: error.error_type, kind: KIND, path: `/error-log?error=${error.id}` }]
          } catch (cause) {
            if (!(cause instanceof ApiError && cause.status === 404)) throw cause
          }
        }
        const { data } = await request('get', '/api/v1/error_logs', { query: { request_id: text, limit: 5 } })
        return data.map((error) => ({ label: error.error_type, kind: KIND, path: `/error-log?error=${error.id}` }))
      },
    },
  ],
}
