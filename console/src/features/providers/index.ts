import { request } from '@/api/request'
import type { Feature } from '@/feature'

export const providers: Feature = {
  routes: [{ path: '/providers', load: () => import('./ProvidersPage') }],
  navigation: [{ section: 'models', order: 10, path: '/providers', label: { en: 'Providers', zh: '供应商' }, permission: 'ai_providers:read' }],
  finders: [
    {
      permission: 'ai_providers:read',
      find: async (text) => {
        const { data } = await request('get', '/api/v1/ai_providers', { query: { limit: 200 } })
        return data
          .filter((provider) => provider.id === text || provider.name.includes(text.toLowerCase()))
          .map((provider) => ({ label: provider.name, kind: { en: 'Provider', zh: '供应商' }, path: `/providers?name=${provider.name}` }))
      },
    },
  ],
}
