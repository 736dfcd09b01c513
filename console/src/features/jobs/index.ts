import { ApiError, request } from '@/api/request'
import { type Feature, isId } from '@/feature'

const KIND = { en: 'Job', zh: '任务' }

export const jobs: Feature = {
  routes: [
    { path: '/jobs', load: () => import('./JobsPage') },
    { path: '/jobs/$id', load: () => import('./JobPage') },
  ],
  navigation: [{ section: 'system', order: 30, path: '/jobs', label: { en: 'Jobs', zh: '后台任务' }, permission: 'jobs:read' }],
  finders: [
    {
      permission: 'jobs:read',
      find: async (text) => {
        if (!isId(text)) return []
        try {
          const job = await request('get', '/api/v1/jobs/{id}', { params: { id: text } })
          return [{ label: job.kind, kind: KIND, path: `/jobs/${job.id}` }]
        } catch (error) {
          if (error instanceof ApiError && error.status === 404) return []
          throw error
        }
      },
    },
  ],
}
