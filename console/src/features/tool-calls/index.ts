import { ApiError, request } from '@/api/request'
import { type Feature, isId } from '@/feature'

export const toolCalls: Feature = {
  routes: [
    { path: '/tool-calls', load: () => import('./ToolCallsPage') },
    { path: '/tool-calls/$id', load: () => import('./ToolCallPage') },
  ],
  navigation: [{ section: 'work', order: 40, path: '/tool-calls', label: { en: 'Tool calls', zh: '工具调用' }, permission: 'tool_calls:read' }],
  finders: [
    {
      permission: 'tool_calls:read',
      find: async (text) => {
        if (!isId(text)) return []
        try {
          const call = await request('get', '/api/v1/tool_calls/{id}', { params: { id: text } })
          return [{ label: call.tool_name, kind: { en: 'Tool call', zh: '工具调用' }, path: `/tool-calls/${call.id}` }]
        } catch (error) {
          if (error instanceof ApiError && error.status === 404) return []
          throw error
        }
      },
    },
  ],
}
