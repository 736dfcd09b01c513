import type { Feature } from '@/feature'

export const tokenIssuers: Feature = {
  routes: [{ path: '/token-issuers', load: () => import('./TokenIssuersPage') }],
  navigation: [{ section: 'access', order: 50, path: '/token-issuers', label: { en: 'Token issuers', zh: '令牌签发方' }, permission: 'token_issuers:read' }],
}
