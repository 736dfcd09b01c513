import type { Feature } from '@/feature'

export const start: Feature = {
  routes: [{ path: '/start', load: () => import('./GuidePage') }],
  navigation: [{ section: 'work', order: 60, path: '/start', label: { en: 'First steps', zh: '快速上手' }, permission: 'api_keys:write' }],
}
