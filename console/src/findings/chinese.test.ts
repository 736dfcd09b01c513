import { expect, it } from 'vitest'
import { CHINESE } from './chinese'

const figures = { time: (ns: number | undefined) => `${(ns ?? 0) / 1e6} ms`, share: (share: number) => `${share * 100}%`, bytes: (bytes: number | undefined) => `${bytes ?? 0} B` }
const finding = { function: 'app.items', count: 24, impact: 0.5, parameters: { statement: 'SELECT 1', operation: 'external_api' as const, total_ns: 4e6, database_ns: 1e6, longest_ns: 2e6 } }

it('writes a finding from its code and its figures', () => {
  expect(CHINESE.fetch_rows_together.description(finding, figures)).toBe('`app.items` 对上一条查询的每一行各执行一次查询：24 次 `SELECT 1`，共 4 ms，其中数据库 1 ms，占请求的 50%。')
  expect(CHINESE.wait_concurrently.title(finding)).toBe('让 `app.items` 并发等待其他服务')
  expect(CHINESE.speed_up_query.description({ ...finding, count: 1 }, figures)).not.toContain('次')
})

it('leaves nothing out of a text', () => {
  for (const texts of Object.values(CHINESE)) {
    for (const text of [texts.description(finding, figures), texts.title(finding), texts.advice]) expect(text).not.toMatch(/undefined|null|NaN/)
  }
})
