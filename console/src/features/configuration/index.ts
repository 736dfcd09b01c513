import { request } from '@/api/request'
import type { Feature } from '@/feature'

const KIND = { en: 'Setting', zh: '配置项' }

export const configuration: Feature = {
  routes: [
    { path: '/configuration', load: () => import('./ConfigurationPage') },
    { path: '/configuration/$key', load: () => import('./KeyPage') },
  ],
  navigation: [{ section: 'system', order: 10, path: '/configuration', label: { en: 'Configuration', zh: '系统配置' }, permission: 'system_config:read' }],
  finders: [
    {
      permission: 'system_config:read',
      find: async (text) => {
        const wanted = text.toLowerCase()
        const { keyText } = await import('./texts')
        const { data } = await request('get', '/api/v1/system_config')
        return data
          .map((each) => ({ key: each.config_key, names: [keyText(each.config_key, 'en').name, keyText(each.config_key, 'zh').name] }))
          .filter(({ key, names }) => [key, ...names].some((name) => name.toLowerCase().includes(wanted)))
          .map(({ key }) => ({ label: key, kind: KIND, path: `/configuration/${key}` }))
      },
    },
  ],
}
