import { request } from '@/api/request'
import type { Feature } from '@/feature'

export const keys: Feature = {
  routes: [{ path: '/keys', load: () => import('./KeysPage') }],
  navigation: [{ section: 'access', order: 40, path: '/keys', label: { en: 'API keys', zh: 'API key' }, permission: 'api_keys:read' }],
  finders: [
    {
      permission: 'api_keys:read',
      find: async (text) => {
        const { data } = await request('get', '/api/v1/api_keys', { query: { limit: 200 } })
        const wanted = text.toLowerCase()
        return data
          .filter((key) => key.id === text || key.name.toLowerCase().includes(wanted) || key.prefix.startsWith(text))
          .map((key) => ({ label: key.name, kind: { en: 'API key', zh: 'API key' }, path: `/keys?dialog=show&item=${key.id}` }))
      },
    },
  ],
}
