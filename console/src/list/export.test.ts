import { expect, test } from 'vitest'
import type { Column } from './DataTable'
import { csvOf } from './export'

interface Row {
  name: string | null
  count: number
}
const columns: Column<Row>[] = [
  { id: 'name', header: 'Name', cell: () => null, value: (row) => row.name },
  { id: 'count', header: 'Count', cell: () => null, value: (row) => row.count },
  { id: 'action', header: 'Action', cell: () => null },
]

test('texts with separators, quotes and line ends are quoted', () => {
  expect(csvOf(columns, [{ name: 'a,"b"\nc', count: 1 }])).toBe('Name,Count\r\n"a,""b""\nc",1\r\n')
})

test('a text that spreadsheets would take for a formula is marked as text; a negative number is not', () => {
  expect(csvOf(columns, [{ name: '=1+1', count: -2 }, { name: null, count: 0 }])).toBe("Name,Count\r\n'=1+1,-2\r\n,0\r\n")
})
