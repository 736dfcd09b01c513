import { expect, test } from 'vitest'
import type { Schema } from '@/api/types'
import { keptFor } from './retention'

const DEFAULT = { llm_calls_days: null, llm_call_bodies_days: null, api_logs_days: 30 }
const setting = {
  config_key: 'records.retention',
  level: 'tenant',
  source: 'tenant',
  set_value: { llm_call_bodies_days: 30 },
  config_value: { ...DEFAULT, llm_calls_days: 400, llm_call_bodies_days: 30 },
  default_value: DEFAULT,
} as unknown as Schema<'SystemConfigView'>

test('each kind of data has its time and the level that sets it', () => {
  const found = Object.fromEntries(keptFor([setting]).map(({ field, value, source }) => [field, [value, source]]))
  expect(found.llm_call_bodies_days).toEqual([30, 'tenant'])
  expect(found.llm_calls_days).toEqual([400, 'global'])
  expect(found.api_logs_days).toEqual([30, 'default'])
})

test('settings that the caller may not see have no row', () => {
  expect(keptFor([setting]).some(({ key }) => key === 'insight.storage')).toBe(false)
})
