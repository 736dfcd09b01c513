import { ApiError, request } from '@/api/request'
import { type Feature, isId } from '@/feature'

const KIND = { en: 'Suggestion', zh: '优化建议' }

export const suggestions: Feature = {
  routes: [{ path: '/suggestions', load: () => import('./SuggestionsPage') }],
  navigation: [{ section: 'insight', order: 85, path: '/suggestions', label: { en: 'Suggestions', zh: '优化建议' }, permission: 'suggestions:read' }],
  finders: [
    {
      permission: 'suggestions:read',
      find: async (text) => {
        if (!isId(text)) return []
        try {
          const found = await request('get', '/api/v1/suggestions/{id}', { params: { id: text } })
          return [{ label: found.title, kind: KIND, path: `/suggestions?suggestion=${found.id}` }]
        } catch (error) {
          if (error instanceof ApiError && error.status === 404) return []
          throw error
        }
      },
    },
  ],
}
