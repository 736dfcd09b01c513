import { ApiError, request } from '@/api/request'
import { type Feature, isId } from '@/feature'

const KIND = { en: 'Erasure', zh: '数据抹除' }

export const erasures: Feature = {
  routes: [
    { path: '/erasures', load: () => import('./ErasuresPage') },
    { path: '/erasures/$id', load: () => import('./ErasurePage') },
  ],
  navigation: [{ section: 'system', order: 90, path: '/erasures', label: { en: 'Erasures', zh: '数据抹除' }, permission: 'erasures:read' }],
  finders: [
    {
      permission: 'erasures:read',
      find: async (text) => {
        if (!isId(text)) return []
        try {
          const erasure = await request('get', '/api/v1/erasures/{id}', { params: { id: text } })
          return [{ label: erasure.id, kind: KIND, path: `/erasures/${erasure.id}` }]
        } catch (error) {
          if (error instanceof ApiError && error.status === 404) return []
          throw error
        }
      },
    },
  ],
}
