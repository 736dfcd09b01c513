import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { classes } from '@/ui/classes'
import { linkTo } from './search'
import styles from './table.module.css'

export interface Column<Row> {
  id: string
  header: string
  cell: (row: Row) => ReactNode
  /** Its value in exports; without it the column isn't exported. */
  value?: (row: Row) => string | number | boolean | null | undefined
  /** Figures stand at the end. */
  isNumeric?: boolean
  /** Shown only when chosen. */
  isOptional?: boolean
}

interface DataTableProps<Row> {
  /** Its name for screen readers. */
  label: string
  columns: Column<Row>[]
  rows: Row[]
  rowKey: (row: Row) => string
  /** Where a row's first cell leads. */
  rowLink?: (row: Row) => string
  /** The ids of chosen rows, and what changes them. */
  selection?: { ids: string[]; toggle: (id: string) => void; nameOf: (row: Row) => string }
  /** What can be done with a row, at its end. */
  rowActions?: (row: Row) => ReactNode
}

/** Rows in columns; on narrow screens a block for each row. */
export function DataTable<Row>({ label, columns, rows, rowKey, rowLink, selection, rowActions }: DataTableProps<Row>) {
  return (
    <div className={styles.scroll}>
      {/* The roles keep its meaning where the styles make blocks of its rows. */}
      <table className={styles.table} role="table" aria-label={label}>
        <thead role="rowgroup">
          <tr role="row">
            {selection && <th role="columnheader" className={styles.check}><span className="visually-hidden">✓</span></th>}
            {columns.map((column) => (
              <th key={column.id} role="columnheader" scope="col" className={classes(column.isNumeric && styles.numeric)}>
                {column.header}
              </th>
            ))}
            {rowActions && <th role="columnheader"><span className="visually-hidden">…</span></th>}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((row) => {
            const key = rowKey(row)
            return (
              <tr key={key} role="row" className={classes(selection?.ids.includes(key) && styles.selected)}>
                {selection && (
                  <td role="cell" className={styles.check}>
                    <input type="checkbox" checked={selection.ids.includes(key)} onChange={() => selection.toggle(key)} aria-label={selection.nameOf(row)} />
                  </td>
                )}
                {columns.map((column, index) => (
                  <td key={column.id} role="cell" data-label={column.header} className={classes(column.isNumeric && styles.numeric)}>
                    {index === 0 && rowLink ? <Link {...linkTo(rowLink(row))} className={styles.link}>{column.cell(row)}</Link> : column.cell(row)}
                  </td>
                ))}
                {rowActions && <td role="cell" className={styles.actions}>{rowActions(row)}</td>}
              </tr>
            )
          })}
        </tbody>
      </table>
    </div>
  )
}
