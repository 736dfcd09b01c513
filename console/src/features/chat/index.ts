import { ApiError, request } from '@/api/request'
import { type Feature, isId } from '@/feature'

export const chat: Feature = {
  routes: [
    { path: '/chat', load: () => import('./NewChatPage') },
    { path: '/chat/$id', load: () => import('./ChatPage') },
  ],
  navigation: [{ section: 'work', order: 20, path: '/chat', label: { en: 'Chat', zh: '对话' }, permission: 'chat_sessions:read' }],
  finders: [
    {
      permission: 'chat_sessions:read',
      find: async (text) => {
        const kind = { en: 'Conversation', zh: '会话' }
        if (isId(text)) {
          try {
            const session = await request('get', '/api/v1/chat_sessions/{id}', { params: { id: text } })
            return [{ label: session.title, kind, path: `/chat/${session.id}` }]
          } catch (error) {
            if (!(error instanceof ApiError && error.status === 404)) throw error
          }
        }
        const [byTitle, byExternalId] = await Promise.all([
          request('get', '/api/v1/chat_sessions', { query: { search: text, limit: 10 } }),
          request('get', '/api/v1/chat_sessions', { query: { external_id: text, limit: 1 } }),
        ])
        const sessions = new Map([...byExternalId.data, ...byTitle.data].map((session) => [session.id, session]))
        return [...sessions.values()].map((session) => ({ label: session.title, kind, path: `/chat/${session.id}` }))
      },
    },
  ],
}
