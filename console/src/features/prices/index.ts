import type { Feature } from '@/feature'

export const prices: Feature = {
  routes: [{ path: '/prices', load: () => import('./PricesPage') }],
  navigation: [{ section: 'models', order: 30, path: '/prices', label: { en: 'Prices', zh: '价格' }, permission: 'model_prices:read' }],
}
