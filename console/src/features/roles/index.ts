import type { Feature } from '@/feature'

export const roles: Feature = {
  routes: [{ path: '/roles', load: () => import('./RolesPage') }],
  navigation: [{ section: 'access', order: 30, path: '/roles', label: { en: 'Roles', zh: '角色' }, permission: 'roles:read' }],
}
