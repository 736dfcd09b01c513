import { ApiError, request } from '@/api/request'
import { type Feature, isId } from '@/feature'

const KIND = { en: 'Analysis', zh: '分析' }

export const analyses: Feature = {
  routes: [
    { path: '/analyses', load: () => import('./AnalysesPage') },
    { path: '/analyses/$id', load: () => import('./AnalysisPage') },
  ],
  navigation: [{ section: 'insight', order: 80, path: '/analyses', label: { en: 'Analyses', zh: '模型分析' }, permission: 'ai_analysis_results:read' }],
  finders: [
    {
      permission: 'ai_analysis_results:read',
      find: async (text) => {
        if (!isId(text)) return []
        try {
          const found = await request('get', '/api/v1/ai_analysis_results/{id}', { params: { id: text } })
          return [{ label: found.endpoint, kind: KIND, path: `/analyses/${found.id}` }]
        } catch (error) {
          if (error instanceof ApiError && error.status === 404) return []
          throw error
        }
      },
    },
  ],
}
