import { Link } from '@tanstack/react-router'
import { type ReactNode, useEffect } from 'react'
import { classes } from './classes'
import styles from './Page.module.css'

interface PageProps {
  title: string
  /** The page above this one. */
  parent?: { title: string; to: string }
  /** What the page is about, in a sentence. */
  description?: ReactNode
  actions?: ReactNode
  children: ReactNode
}

/** A page with its heading and the actions that concern all of it. */
export function Page({ title, parent, description, actions, children }: PageProps) {
  useEffect(() => {
    document.title = `${title} · Loam`
  }, [title])
  return (
    <div className={styles.page}>
      <header className={styles.head}>
        <div className={styles.titles}>
          {parent && (
            <Link to={parent.to} className={styles.parent}>
              {parent.title}
            </Link>
          )}
          <h1>{title}</h1>
          {description && <p className={styles.description}>{description}</p>}
        </div>
        {actions && <div className={styles.actions}>{actions}</div>}
      </header>
      {children}
    </div>
  )
}

/** A part of a page with a border around it. */
export function Card({ title, actions, children, className }: { title?: string; actions?: ReactNode; children: ReactNode; className?: string }) {
  return (
    <section className={classes(styles.card, className)}>
      {(title || actions) && (
        <div className={styles.cardHead}>
          {title && <h2>{title}</h2>}
          {actions}
        </div>
      )}
      {children}
    </section>
  )
}

/** Names and values in two columns. Entries without a value are left out. */
export function Facts({ facts }: { facts: [name: string, value: ReactNode][] }) {
  return (
    <dl className={styles.facts}>
      {facts
        .filter(([, value]) => value !== null && value !== undefined && value !== '' && value !== false)
        .map(([name, value]) => (
          <div key={name} className={styles.fact}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  )
}

/** A figure with its name. */
export function Figure({ name, value, note }: { name: string; value: ReactNode; note?: ReactNode }) {
  return (
    <div className={styles.figure}>
      <div className={styles.figureName}>{name}</div>
      <div className={styles.figureValue}>{value}</div>
      {note && <div className={styles.figureNote}>{note}</div>}
    </div>
  )
}

/** Parts beside each other where there is room. */
export function Grid({ children, min = '18rem' }: { children: ReactNode; min?: '10rem' | '18rem' | '26rem' }) {
  return <div className={classes(styles.grid, min === '10rem' ? styles.small : min === '26rem' ? styles.large : undefined)}>{children}</div>
}
