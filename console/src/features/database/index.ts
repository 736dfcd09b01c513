import type { Feature } from '@/feature'

export const database: Feature = {
  routes: [{ path: '/database', load: () => import('./DatabasePage') }],
  navigation: [{ section: 'system', order: 100, path: '/database', label: { en: 'Database', zh: '数据库' }, permission: 'database:read', isForOperators: true }],
}
