import { ApiError, request } from '@/api/request'
import { type Feature, type Found, isId } from '@/feature'

const KIND = { en: 'User', zh: '用户' }

export const users: Feature = {
  routes: [
    { path: '/users', load: () => import('./UsersPage') },
    { path: '/users/$id', load: () => import('./UserPage') },
  ],
  navigation: [{ section: 'access', order: 20, path: '/users', label: { en: 'Users', zh: '用户' }, permission: 'users:read' }],
  finders: [
    {
      permission: 'users:read',
      find: async (text) => {
        const found = ({ id, username, full_name }: { id: string; username: string; full_name: string | null }): Found => ({ label: full_name ? `${full_name} (${username})` : username, kind: KIND, path: `/users/${id}` })
        if (isId(text)) {
          try {
            return [found(await request('get', '/api/v1/users/{id}', { params: { id: text } }))]
          } catch (error) {
            if (error instanceof ApiError && error.status === 404) return []
            throw error
          }
        }
        const [byName, byExternalId] = await Promise.all([
          request('get', '/api/v1/users', { query: { search: text, limit: 10 } }),
          request('get', '/api/v1/users', { query: { external_id: text, limit: 1 } }),
        ])
        const all = new Map([...byExternalId.data, ...byName.data].map((user) => [user.id, user]))
        return [...all.values()].map(found)
      },
    },
  ],
}
