import type { Feature } from '@/feature'

export const quarantine: Feature = {
  routes: [
    { path: '/quarantine', load: () => import('./QuarantinePage') },
    { path: '/quarantine/$id', load: () => import('./FramePage') },
  ],
  navigation: [{ section: 'system', order: 60, path: '/quarantine', label: { en: 'Quarantine', zh: '隔离区' }, permission: 'journal_quarantine:read' }],
}
