import type { Feature } from '@/feature'

export const connect: Feature = {
  routes: [{ path: '/connect', load: () => import('./ConnectPage') }],
  navigation: [{ section: 'insight', order: 90, path: '/connect', label: { en: 'Connect an application', zh: '接入应用' }, permission: 'projects:read' }],
}
