import type { Feature } from '@/feature'

export const usage: Feature = {
  routes: [
    { path: '/', load: () => import('./OverviewPage') },
    { path: '/usage', load: () => import('./UsagePage') },
  ],
  navigation: [
    { section: 'work', order: 10, path: '/', label: { en: 'Overview', zh: '概览' } },
    { section: 'work', order: 50, path: '/usage', label: { en: 'Usage and cost', zh: '用量与费用' }, permission: 'usage:read' },
  ],
}
