import type { Feature } from '@/feature'

export const metrics: Feature = {
  routes: [{ path: '/metrics', load: () => import('./MetricsPage') }],
  navigation: [{ section: 'insight', order: 50, path: '/metrics', label: { en: 'Metrics', zh: '指标' }, permission: 'performance_metrics:read' }],
}
