import type { Feature } from '@/feature'

const PERMISSION = 'performance_records:read'

export const statistics: Feature = {
  routes: [
    { path: '/endpoints', load: () => import('./EndpointsPage') },
    { path: '/functions', load: () => import('./FunctionsPage') },
    { path: '/versions', load: () => import('./VersionsPage') },
  ],
  navigation: [
    { section: 'insight', order: 20, path: '/endpoints', label: { en: 'Endpoints', zh: '接口' }, permission: PERMISSION },
    { section: 'insight', order: 30, path: '/functions', label: { en: 'Functions', zh: '函数' }, permission: PERMISSION },
    { section: 'insight', order: 40, path: '/versions', label: { en: 'Versions', zh: '版本对比' }, permission: PERMISSION },
  ],
}
