import { namedTenant, request } from '@/api/request'
import type { ListPath, Page, PathParameters, RowOf } from '@/api/types'
import type { Column } from './DataTable'
import { saveBlob } from './download'

const MAX_ROWS = 10_000
const PAGE_SIZE = 200

interface Export<Row> {
  params?: PathParameters
  query: Record<string, unknown>
  kind: 'csv' | 'jsonl'
  label: string
  columns: Column<Row>[]
}

/** Saves the rows of a list as a file: CSV has the columns that can be shown, JSON Lines the rows as the API returns them. */
export async function exportRows<P extends ListPath>(path: P, wanted: Export<RowOf<P>>): Promise<{ rows: number; isWhole: boolean }> {
  const rows: RowOf<P>[] = []
  let cursor: string | null | undefined
  const tenant = namedTenant()
  do {
    const query = { ...wanted.query, cursor: cursor ?? undefined, limit: PAGE_SIZE }
    const page = (await request('get', path as never, { params: wanted.params, query } as never)) as Page<RowOf<P>>
    // A file has rows of one tenant.
    if (namedTenant() !== tenant) throw new Error('The tenant was changed during the export.')
    rows.push(...page.data)
    cursor = page.next_cursor
  } while (cursor && rows.length < MAX_ROWS)
  const text = wanted.kind === 'csv' ? csvOf(wanted.columns, rows) : rows.map((row) => `${JSON.stringify(row)}\n`).join('')
  save(text, `${wanted.label}.${wanted.kind}`, wanted.kind === 'csv' ? 'text/csv' : 'application/jsonl')
  return { rows: rows.length, isWhole: !cursor }
}

/** CSV by RFC 4180. */
export function csvOf<Row>(columns: Column<Row>[], rows: Row[]): string {
  const exported = columns.filter((column) => column.value)
  const lines = [exported.map((column) => cell(column.header)), ...rows.map((row) => exported.map((column) => cell(column.value?.(row))))]
  return lines.map((line) => `${line.join(',')}\r\n`).join('')
}

function cell(value: string | number | boolean | null | undefined): string {
  // A text that begins like a formula is executed by spreadsheets.
  const text = typeof value === 'string' && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value ?? '')
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** Saves a text as a file in the browser's downloads. */
export function save(text: string, name: string, type: string): void {
  saveBlob(new Blob([text], { type: `${type};charset=utf-8` }), name)
}
