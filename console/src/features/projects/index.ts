import { ApiError, request } from '@/api/request'
import { type Feature, isId } from '@/feature'

export const projects: Feature = {
  routes: [{ path: '/projects', load: () => import('./ProjectsPage') }],
  navigation: [{ section: 'access', order: 10, path: '/projects', label: { en: 'Projects', zh: '项目' }, permission: 'projects:read' }],
  finders: [
    {
      permission: 'projects:read',
      find: async (text) => {
        const found = ({ id, name }: { id: string; name: string }) => ({ label: name, kind: { en: 'Project', zh: '项目' }, path: `/projects?dialog=show&item=${id}` })
        if (isId(text)) {
          try {
            return [found(await request('get', '/api/v1/projects/{id}', { params: { id: text } }))]
          } catch (error) {
            if (error instanceof ApiError && error.status === 404) return []
            throw error
          }
        }
        const { data } = await request('get', '/api/v1/projects', { query: { search: text, limit: 10 } })
        return data.map(found)
      },
    },
  ],
}
