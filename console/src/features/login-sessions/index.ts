import type { Feature } from '@/feature'

export const loginSessions: Feature = {
  routes: [{ path: '/login-sessions', load: () => import('./LoginSessionsPage') }],
  navigation: [{ section: 'access', order: 60, path: '/login-sessions', label: { en: 'Login sessions', zh: '登录会话' }, permission: 'login_sessions:read' }],
}
