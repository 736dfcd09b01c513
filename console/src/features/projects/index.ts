import { request } from '@/api/request'
import type { Feature } from '@/feature'

export const projects: Feature = {
  routes: [{ path: '/projects', load: () => import('./ProjectsPage') }],
  navigation: [{ section: 'access', order: 10, path: '/projects', label: { en: 'Projects', zh: '项目' }, permission: 'projects:read' }],
  finders: [
    {
      permission: 'projects:read',
      find: async (text) => {
        const { data } = await request('get', '/api/v1/projects', { query: { limit: 200 } })
        const wanted = text.toLowerCase()
        return data
          .filter((project) => project.id === text || project.name.toLowerCase().includes(wanted))
          .map((project) => ({ label: project.name, kind: { en: 'Project', zh: '项目' }, path: `/projects?dialog=show&item=${project.id}` }))
      },
    },
  ],
}
