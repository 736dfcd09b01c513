import type { Feature } from '@/feature'

export const limits: Feature = {
  routes: [{ path: '/limits', load: () => import('./LimitsPage') }],
  navigation: [{ section: 'models', order: 40, path: '/limits', label: { en: 'Limits and budgets', zh: '限额与预算' }, permission: 'limits:read' }],
}
