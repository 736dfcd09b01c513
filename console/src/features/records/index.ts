import { ApiError, request } from '@/api/request'
import { type Feature, isId } from '@/feature'

const KIND = { en: 'Request', zh: '请求' }
const TRACE = { en: 'Trace', zh: 'Trace' }

export const records: Feature = {
  routes: [
    { path: '/records', load: () => import('./RecordsPage') },
    { path: '/records/$id', load: () => import('./RecordPage') },
  ],
  navigation: [{ section: 'insight', order: 10, path: '/records', label: { en: 'Requests', zh: '请求' }, permission: 'performance_records:read' }],
  finders: [
    {
      permission: 'performance_records:read',
      find: async (text) => {
        if (isId(text)) {
          try {
            const record = await request('get', '/api/v1/performance_records/{id}', { params: { id: text } })
            return [{ label: record.endpoint, kind: KIND, path: `/records/${record.id}` }]
          } catch (error) {
            if (!(error instanceof ApiError && error.status === 404)) throw error
          }
        }
        if (!/^[0-9a-f-]{16,64}$/i.test(text)) return []
        const { data } = await request('get', '/api/v1/performance_records', { query: { trace_id: text, limit: 5 } })
        const found = data.map((record) => ({ label: record.endpoint, kind: KIND, path: `/records/${record.id}` }))
        return data.length > 1 ? [{ label: text, kind: TRACE, path: `/records?trace_id=${text}` }, ...found] : found
      },
    },
  ],
}
