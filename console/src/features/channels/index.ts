import { ApiError, request } from '@/api/request'
import { type Feature, isId } from '@/feature'

const KIND = { en: 'Channel', zh: '渠道' }

export const channels: Feature = {
  routes: [
    { path: '/channels', load: () => import('./ChannelsPage') },
    { path: '/channels/$id', load: () => import('./ChannelPage') },
  ],
  navigation: [{ section: 'system', order: 20, path: '/channels', label: { en: 'Channels', zh: '渠道' }, permission: 'channels:read' }],
  finders: [
    {
      permission: 'channels:read',
      find: async (text) => {
        try {
          const found = isId(text) ? [await request('get', '/api/v1/channels/{id}', { params: { id: text } })] : (await request('get', '/api/v1/channels', { query: { name: text } })).data
          return found.map((channel) => ({ label: channel.name, kind: KIND, path: `/channels/${channel.id}` }))
        } catch (error) {
          if (error instanceof ApiError && error.status === 404) return []
          throw error
        }
      },
    },
  ],
}
