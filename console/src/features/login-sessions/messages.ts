import { defineMessages } from '@/i18n/language'

export const useMessages = defineMessages(
  {
    title: 'Login sessions',
    description: 'Who is logged in, from where, and who was during the last 30 days.',
    since: 'Since',
    browser: 'Browser',
    address: 'Address',
    lastSeen: 'Last seen',
    ends: 'Ends at the latest',
    states: { active: 'active', revoked: 'logged out', expired: 'expired' },
    yours: 'this one',
    end: 'Log out',
    endTitle: (name: string) => `Log out ${name}?`,
    endHint: 'This browser must log in again.',
    endYours: 'This is your own session: you must log in again.',
  },
  {
    title: '登录会话',
    description: '当前有谁登录、从哪里登录，以及最近 30 天的登录记录。',
    since: '登录时间',
    browser: '浏览器',
    address: '地址',
    lastSeen: '最近活动',
    ends: '最晚结束',
    states: { active: '有效', revoked: '已登出', expired: '已过期' },
    yours: '当前会话',
    end: '登出',
    endTitle: (name) => `登出 ${name}？`,
    endHint: '该浏览器需要重新登录。',
    endYours: '这是你自己的会话，登出后需要重新登录。',
  },
)
