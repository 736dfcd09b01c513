import { expect, test } from 'vitest'
import { readTrace, splitMessage } from './trace'
import { versionsOf } from './versions'

test('own code of Python is told from libraries', () => {
  const trace = `Traceback (most recent call last):
  File "/venv/lib/python3.12/site-packages/fastapi/routing.py", line 301, in app
    raw_response = await run_endpoint_function(
  File "/srv/app/orders.py", line 27, in show
    return orders[customer_id]
KeyError: 'customer_id'`
  expect(readTrace(trace).map(({ kind, isOwn }) => `${kind}${isOwn ? '!' : ''}`)).toEqual(['other', 'frame', 'code', 'frame!', 'code!', 'other'])
})

test('frames of JavaScript, Java and Go are found', () => {
  const own = (line: string) => readTrace(line)[0]
  expect(own('    at load (/srv/app/orders.js:4:11)')).toMatchObject({ kind: 'frame', isOwn: true })
  expect(own('    at next (/srv/node_modules/express/lib/router.js:1:2)')).toMatchObject({ kind: 'frame', isOwn: false })
  expect(own('    at node:internal/process/task_queues:95:5')).toMatchObject({ kind: 'frame', isOwn: false })
  expect(own('\tat com.shop.Orders.load(Orders.java:41)')).toMatchObject({ kind: 'frame', isOwn: true })
  expect(own('\tat java.base/java.util.HashMap.get(HashMap.java:5)')).toMatchObject({ kind: 'frame', isOwn: false })
  expect(own('\t/srv/shop/orders.go:12 +0x1d')).toMatchObject({ kind: 'frame', isOwn: true })
})

test('a message is a line, and the rest its trace', () => {
  expect(splitMessage("'customer_id'\n  File \"a.py\", line 1, in f")).toEqual({ message: "'customer_id'", trace: '  File "a.py", line 1, in f' })
  expect(splitMessage('x')).toEqual({ message: 'x', trace: '' })
})

test('the versions of errors are counted, the last seen first', () => {
  const error = (version: string | null, created_at: string) => ({ context: { version }, created_at }) as never
  const seen = versionsOf([error('1.5', '2026-11-30'), error('1.4', '2026-11-20'), error('1.5', '2026-11-25'), error(null, '2026-11-10')])
  expect(seen).toEqual([
    { version: '1.5', count: 2, first: '2026-11-25', last: '2026-11-30' },
    { version: '1.4', count: 1, first: '2026-11-20', last: '2026-11-20' },
  ])
})
