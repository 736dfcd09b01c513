import { ApiError, request } from '@/api/request'
import { type Feature, isId } from '@/feature'

const KIND = { en: 'Delivery', zh: '投递' }

export const deliveries: Feature = {
  routes: [
    { path: '/deliveries', load: () => import('./DeliveriesPage') },
    { path: '/deliveries/$id', load: () => import('./DeliveryPage') },
  ],
  navigation: [{ section: 'system', order: 40, path: '/deliveries', label: { en: 'Deliveries', zh: '投递' }, permission: 'webhook_deliveries:read' }],
  finders: [
    {
      permission: 'webhook_deliveries:read',
      find: async (text) => {
        if (!isId(text)) return []
        try {
          const delivery = await request('get', '/api/v1/webhook_deliveries/{id}', { params: { id: text } })
          return [{ label: `${delivery.kind} → ${delivery.target}`, kind: KIND, path: `/deliveries/${delivery.id}` }]
        } catch (error) {
          if (error instanceof ApiError && error.status === 404) return []
          throw error
        }
      },
    },
  ],
}
