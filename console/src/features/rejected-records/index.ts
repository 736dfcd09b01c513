import type { Feature } from '@/feature'

export const rejectedRecords: Feature = {
  routes: [
    { path: '/rejected-records', load: () => import('./RejectedRecordsPage') },
    { path: '/rejected-records/$id', load: () => import('./RejectedRecordPage') },
  ],
  navigation: [{ section: 'system', order: 50, path: '/rejected-records', label: { en: 'Rejected records', zh: '被拒记录' }, permission: 'rejected_records:read' }],
}
