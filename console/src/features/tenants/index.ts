import { request } from '@/api/request'
import type { Feature } from '@/feature'

export const tenants: Feature = {
  routes: [{ path: '/tenants', load: () => import('./TenantsPage') }],
  navigation: [{ section: 'access', order: 70, path: '/tenants', label: { en: 'Tenants', zh: '租户' }, permission: 'tenants:read', isForOperators: true }],
  finders: [
    {
      permission: 'tenants:read',
      find: async (text) => {
        const { data } = await request('get', '/api/v1/tenants', { query: { limit: 200 } })
        const wanted = text.toLowerCase()
        return data
          .filter((tenant) => tenant.id === text || tenant.slug.includes(wanted) || tenant.name.toLowerCase().includes(wanted))
          .map((tenant) => ({ label: tenant.name, kind: { en: 'Tenant', zh: '租户' }, path: `/tenants?slug=${tenant.slug}` }))
      },
    },
  ],
}
