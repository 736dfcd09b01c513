import { request } from '@/api/request'
import type { Feature } from '@/feature'

export const routes: Feature = {
  routes: [{ path: '/routes', load: () => import('./RoutesPage') }],
  navigation: [{ section: 'models', order: 20, path: '/routes', label: { en: 'Routes', zh: '路由' }, permission: 'model_routes:read' }],
  finders: [
    {
      permission: 'model_routes:read',
      find: async (text) => {
        const { data } = await request('get', '/api/v1/model_routes', { query: { limit: 200 } })
        return data
          .filter((route) => route.id === text || route.alias.includes(text.toLowerCase()))
          .map((route) => ({ label: route.alias, kind: { en: 'Route', zh: '路由' }, path: `/routes?alias=${route.alias}` }))
      },
    },
  ],
}
