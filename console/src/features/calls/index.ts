import { ApiError, request } from '@/api/request'
import { type Feature, isId } from '@/feature'

const KIND = { en: 'Model call', zh: '模型调用' }

export const calls: Feature = {
  routes: [
    { path: '/calls', load: () => import('./CallsPage') },
    { path: '/calls/compare', load: () => import('./ComparePage') },
    { path: '/calls/$id', load: () => import('./CallPage') },
  ],
  navigation: [{ section: 'work', order: 30, path: '/calls', label: { en: 'Model calls', zh: '模型调用' }, permission: 'llm_calls:read' }],
  finders: [
    {
      permission: 'llm_calls:read',
      find: async (text) => {
        if (!isId(text)) return []
        try {
          const call = await request('get', '/api/v1/llm_calls/{id}', { params: { id: text } })
          return [{ label: `${call.provider}/${call.model}`, kind: KIND, path: `/calls/${call.id}` }]
        } catch (error) {
          if (!(error instanceof ApiError && error.status === 404)) throw error
        }
        const { data } = await request('get', '/api/v1/llm_calls', { query: { request_id: text, limit: 5 } })
        return data.map((call) => ({ label: `${call.provider}/${call.model}`, kind: KIND, path: `/calls/${call.id}` }))
      },
    },
  ],
}
