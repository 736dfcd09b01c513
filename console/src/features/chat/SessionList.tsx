import { useInfiniteQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { useVirtualizer } from '@tanstack/react-virtual'
import { SquarePen } from 'lucide-react'
import { memo, useDeferredValue, useEffect, useMemo, useRef, useState } from 'react'
import { request } from '@/api/request'
import { useSession } from '@/api/session'
import { isId } from '@/feature'
import { useSearchState } from '@/list/search'
import { classes } from '@/ui/classes'
import { IconButton } from '@/ui/Button'
import { ErrorMessage, Skeleton } from '@/ui/Feedback'
import { Time } from '@/ui/Time'
import styles from './chat.module.css'
import { useMessages } from './messages'

const PAGE_SIZE = 100
const ROW_HEIGHT = 52
const REFRESH_MS = 15_000

/** The sessions, the most recently active first. */
export const SessionList = memo(function SessionList({ selected }: { selected?: string }) {
  const t = useMessages()
  const navigate = useNavigate()
  const { session: me, projectId } = useSession()
  const [search, setSearch] = useSearchState()
  const [text, setText] = useState('')
  const scroller = useRef<HTMLDivElement>(null)
  const seesAll = me.permissions.some((permission) => permission === '*' || permission === 'chat_sessions:all')
  const state = search.state === 'archived' || search.state === 'all' ? search.state : 'active'
  const wanted = useDeferredValue(text.trim())
  const filter = {
    search: wanted || undefined,
    user_id: seesAll && search.owner === 'me' ? (me.user?.id ?? undefined) : undefined,
    status: state === 'all' ? undefined : (state as 'active' | 'archived'),
    project_id: projectId ?? undefined,
  }
  const list = useInfiniteQuery({
    queryKey: ['chat list', filter],
    queryFn: ({ pageParam, signal }) => request('get', '/api/v1/chat_sessions', { query: { ...filter, limit: PAGE_SIZE, cursor: pageParam ?? undefined }, signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor ?? null,
    refetchInterval: (query) => (query.state.data && query.state.data.pages.length > 1 ? false : REFRESH_MS),
  })
  const rows = useMemo(() => {
    // A session that moved to the front while pages were read is on two of them.
    const seen = new Set<string>()
    return (list.data?.pages ?? []).flatMap((page) => page.data.filter(({ id }) => !seen.has(id) && seen.add(id)))
  }, [list.data])

  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => ROW_HEIGHT, overscan: 10, getItemKey: (index) => rows[index]?.id ?? index })
  const last = virtual.getVirtualItems().at(-1)?.index ?? 0
  const needsMore = last >= rows.length - 20
  useEffect(() => {
    if (needsMore && list.hasNextPage && !list.isFetching) void list.fetchNextPage()
  }, [needsMore, list.hasNextPage, list.isFetching])

  const keep = { owner: search.owner, state: search.state }
  return (
    <section className={styles.list} aria-label={t.sessions}>
      {/* The title of an open conversation is the heading of its page. */}
      {!selected && <h1 className="visually-hidden">{t.title}</h1>}
      <div className={styles.listHead}>
        <input
          type="search"
          className={styles.input}
          aria-label={t.search}
          placeholder={t.search}
          value={text}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={(event) => event.key === 'Enter' && isId(text.trim()) && void navigate({ to: `/chat/${text.trim()}`, search: keep } as never)}
        />
        <IconButton label={t.newSession} icon={<SquarePen size={17} />} onClick={() => void navigate({ to: '/chat', search: { ...keep, new: '1' } } as never)} />
      </div>
      <div className={styles.listFilters}>
        {seesAll && (
          <select className={styles.input} aria-label={t.owner} value={search.owner ?? ''} onChange={(event) => setSearch({ owner: event.target.value })}>
            <option value="">{t.everyones}</option>
            <option value="me">{t.mine}</option>
          </select>
        )}
        <select className={styles.input} aria-label={t.state} value={state} onChange={(event) => setSearch({ state: event.target.value === 'active' ? undefined : event.target.value })}>
          <option value="active">{t.active}</option>
          <option value="archived">{t.archived}</option>
          <option value="all">{t.allStates}</option>
        </select>
      </div>
      {list.error && !list.data && <ErrorMessage error={list.error} onRetry={() => void list.refetch()} />}
      {!list.data && !list.error && <Skeleton lines={6} />}
      {list.data && rows.length === 0 && (
        <p className={styles.note}>
          {wanted ? t.nothingFound : t.noSessions}
          {!wanted && !search.new && (
            <>
              <br />
              <Link to="/chat" search={{ ...keep, new: '1' } as never} className={styles.startLink}>
                {t.startFirst}
              </Link>
            </>
          )}
        </p>
      )}
      <div ref={scroller} className={styles.listScroll} tabIndex={-1}>
        <ul style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const session = rows[item.index]
            if (!session) return null
            return (
              <li key={item.key} style={{ height: ROW_HEIGHT, transform: `translateY(${item.start}px)` }}>
                <Link to={`/chat/${session.id}`} search={keep as never} preload={false} className={classes(styles.session, session.id === selected && styles.selected)} aria-current={session.id === selected ? 'page' : undefined}>
                  <span className={styles.sessionTitle}>{session.title || t.untitled}</span>
                  <span className={styles.small}>
                    {session.model && `${session.model} · `}
                    <Time at={session.last_activity} />
                  </span>
                </Link>
              </li>
            )
          })}
        </ul>
      </div>
    </section>
  )
})
