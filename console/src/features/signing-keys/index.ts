import type { Feature } from '@/feature'

export const signingKeys: Feature = {
  routes: [{ path: '/signing-keys', load: () => import('./SigningKeysPage') }],
  navigation: [{ section: 'access', order: 80, path: '/signing-keys', label: { en: 'Signing keys', zh: '签名密钥' }, permission: 'signing_keys:read', isForOperators: true }],
}
