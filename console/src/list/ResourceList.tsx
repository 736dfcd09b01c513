import { ChevronLeft, ChevronRight, Columns3, Download, ListFilter, RefreshCw, X } from 'lucide-react'
import { type ReactNode, useState } from 'react'
import type { ApiError } from '@/api/request'
import { useRead } from '@/api/hooks'
import type { ListPath, Page, PathParameters, QueryOf, RowOf } from '@/api/types'
import { Button, IconButton } from '@/ui/Button'
import { classes } from '@/ui/classes'
import { Empty, ErrorMessage, Skeleton } from '@/ui/Feedback'
import { Menu } from '@/ui/Menu'
import { Popover } from '@/ui/Popover'
import { notify } from '@/ui/Toasts'
import { type Column, DataTable } from './DataTable'
import { type Filter, FilterBar, filledFilters } from './FilterBar'
import { exportRows } from './export'
import styles from './list.module.css'
import { useListMessages } from './messages'
import { useSearchState } from './search'
import { useTimeRange } from './time'
import { TimeRangePicker } from './TimeRangePicker'

const PAGE_SIZE = 50
/** As many filters stand above the rows on a phone; more are unfolded when they are wanted. */
const FEW_FILTERS = 2

interface ResourceListProps<P extends ListPath> {
  /** The operation that lists the rows. */
  path: P
  params?: PathParameters
  /** Query parameters that no filter changes. */
  query?: Partial<QueryOf<P, 'get'>>
  /** Its name, also that of exported files. */
  label: string
  columns: Column<RowOf<P>>[]
  filters?: Filter[]
  /** The query parameters that bound the time of its rows, if any. */
  timeParameters?: [from: string, to: string]
  rowKey: (row: RowOf<P>) => string
  rowLink?: (row: RowOf<P>) => string
  rowActions?: (row: RowOf<P>) => ReactNode
  /** What can be done with chosen rows; rows can be chosen if it is there. */
  selectionActions?: (rows: RowOf<P>[]) => ReactNode
  selectionName?: (row: RowOf<P>) => string
  /** What stands here while there is nothing: what to do next. */
  empty?: ReactNode
  /** Reads again after as many milliseconds, while the first page is shown. */
  refresh?: number
}

/** A list of the API as a table with filters, columns to choose, pages and exports. The URL holds all of its state. */
export function ResourceList<P extends ListPath>(props: ResourceListProps<P>) {
  const { path, params, label, columns, filters = [], timeParameters, rowKey, empty } = props
  const t = useListMessages()
  const [search, setSearch] = useSearchState()
  const range = useTimeRange()
  const [isExporting, setExporting] = useState(false)
  const [isUnfolded, setUnfolded] = useState(false)
  const filled = filledFilters(filters, search)
  const query: Record<string, unknown> = { ...props.query, ...filled }
  if (timeParameters) {
    query[timeParameters[0]] = range.from?.toISOString()
    query[timeParameters[1]] = range.to?.toISOString()
  }
  const read = useRead(path, { params, query: { ...query, cursor: search.cursor, limit: PAGE_SIZE } as never }, { refresh: search.cursor ? false : props.refresh })
  const page = read.data as Page<RowOf<P>> | undefined
  const isFiltered = Object.keys(filled).length > 0 || range.from !== null || range.to !== null
  const chosen = search.columns?.split(',')
  const shown = columns.filter((column) => (chosen ? chosen.includes(column.id) : !column.isOptional))
  const selected = search.selected?.split(',') ?? []

  async function download(kind: 'csv' | 'jsonl') {
    setExporting(true)
    try {
      const { rows, isWhole } = await exportRows(path, { params, query, kind, label, columns })
      notify(isWhole ? t.exported(rows) : t.exportedPart(rows))
    } catch (error) {
      notify((error as ApiError).message)
    } finally {
      setExporting(false)
    }
  }
  function toggleColumn(id: string) {
    const ids = shown.map((column) => column.id)
    const changed = ids.includes(id) ? ids.filter((each) => each !== id) : columns.map((column) => column.id).filter((each) => each === id || ids.includes(each))
    const isDefault = columns.every((column) => changed.includes(column.id) === !column.isOptional)
    setSearch({ columns: isDefault ? undefined : changed.join(',') })
  }
  function toggleRow(id: string) {
    const changed = selected.includes(id) ? selected.filter((each) => each !== id) : [...selected, id]
    setSearch({ selected: changed.join(',') || undefined })
  }

  return (
    <div className={styles.list}>
      <div className={classes(styles.toolbar, !isUnfolded && filters.length > FEW_FILTERS && styles.folded)}>
        {filters.length > FEW_FILTERS && (
          <Button className={styles.unfold} icon={<ListFilter size={16} />} aria-expanded={isUnfolded} onClick={() => setUnfolded(!isUnfolded)}>
            {t.filters}
            {Object.keys(filled).length > 0 && ` (${Object.keys(filled).length})`}
          </Button>
        )}
        <FilterBar filters={filters} />
        {timeParameters && <TimeRangePicker allowsAll />}
        {isFiltered && (
          <Button look="plain" icon={<X size={16} />} onClick={() => setSearch({ ...Object.fromEntries(filters.map(({ name }) => [name, undefined])), range: undefined, from: undefined, to: undefined, cursor: undefined })}>
            {t.clearFilters}
          </Button>
        )}
        <div className={styles.tools}>
          <Popover label={t.columns} trigger={<IconButton label={t.columns} icon={<Columns3 size={16} />} />}>
            <fieldset className={styles.columns}>
              <legend>{t.columns}</legend>
              {columns.map((column) => (
                <label key={column.id}>
                  <input type="checkbox" checked={shown.includes(column)} disabled={shown.length === 1 && shown.includes(column)} onChange={() => toggleColumn(column.id)} /> {column.header}
                </label>
              ))}
            </fieldset>
          </Popover>
          <Menu
            trigger={<IconButton label={isExporting ? t.exporting : t.export} icon={<Download size={16} />} disabled={isExporting} />}
            groups={[{ items: [{ label: t.asCsv, onSelect: () => void download('csv') }, { label: t.asJsonLines, onSelect: () => void download('jsonl') }] }]}
          />
          <IconButton label={t.refresh} icon={<RefreshCw size={16} />} onClick={() => void read.refetch()} aria-busy={read.isFetching || undefined} />
        </div>
      </div>
      {read.error && <ErrorMessage error={read.error} onRetry={() => void read.refetch()} />}
      {!page && !read.error && <Skeleton lines={8} />}
      {page && page.data.length === 0 && (isFiltered || search.cursor ? <Empty title={t.nothingFound} /> : (empty ?? <Empty title={t.nothingYet} />))}
      {page && page.data.length > 0 && (
        <DataTable<RowOf<P>>
          label={label}
          columns={shown}
          rows={page.data}
          rowKey={rowKey}
          rowLink={props.rowLink}
          rowActions={props.rowActions}
          selection={props.selectionActions && { ids: selected, toggle: toggleRow, nameOf: (row: RowOf<P>) => t.select(props.selectionName?.(row) ?? rowKey(row)) }}
        />
      )}
      {props.selectionActions && selected.length > 0 && page && (
        <div className={styles.selection}>
          <span>{t.selected(selected.length)}</span>
          {props.selectionActions(page.data.filter((row) => selected.includes(rowKey(row))))}
        </div>
      )}
      {page && (page.next_cursor || page.prev_cursor || search.cursor) && (
        <nav className={styles.pages} aria-label={t.pages}>
          <Button icon={<ChevronLeft size={16} />} disabled={!page.prev_cursor} onClick={() => setSearch({ cursor: page.prev_cursor ?? undefined }, { push: true })}>
            {t.previous}
          </Button>
          <Button disabled={!page.next_cursor} onClick={() => setSearch({ cursor: page.next_cursor ?? undefined }, { push: true })}>
            {t.next} <ChevronRight size={16} />
          </Button>
        </nav>
      )}
    </div>
  )
}
