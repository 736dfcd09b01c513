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
        const lists = await Promise.all([
          request('get', '/api/v1/users', { query: { username: text, limit: 1 } }),
          request('get', '/api/v1/users', { query: { external_id: text, limit: 1 } }),
          request('get', '/api/v1/users', { query: { limit: 200 } }),
        ])
        const wanted = text.toLowerCase()
        const [byName, byExternalId, newest] = lists.map((list) => list.data)
        const matching = newest?.filter((user) => user.username.toLowerCase().includes(wanted) || user.full_name?.toLowerCase().includes(wanted)) ?? []
        const all = new Map([...(byName ?? []), ...(byExternalId ?? []), ...matching].map((user) => [user.id, user]))
        return [...all.values()].slice(0, 10).map(found)
      },
    },
  ],
}
