import { useNavigate, useSearch } from '@tanstack/react-router'

/** The state of a page that its URL holds. */
export type SearchState = Record<string, string>

/** Reads a query string as texts only: `?a=1` is the text `1`. */
export function parseSearch(text: string): SearchState {
  return Object.fromEntries(new URLSearchParams(text))
}

export function stringifySearch(search: Record<string, unknown>): string {
  const filled = Object.entries(search).filter(([, value]) => value !== undefined && value !== null && value !== '')
  const text = new URLSearchParams(filled.map(([name, value]) => [name, String(value)])).toString()
  return text ? `?${text}` : ''
}

/** The state in the URL, and a function that changes some of it. An empty or undefined value is removed. */
export function useSearchState(): [SearchState, (changes: Record<string, string | undefined>, options?: { push?: boolean }) => void] {
  const search = useSearch({ strict: false }) as SearchState
  const navigate = useNavigate()
  return [
    search,
    (changes, options) =>
      void navigate({
        to: '.',
        search: (previous: SearchState) => ({ ...previous, ...changes }),
        replace: !options?.push,
      } as never),
  ]
}

/** The target of a link to a path with its query: `/jobs/1?instance=true`. */
export function linkTo(path: string): { to: string; search: never } {
  const [to = '/', query = ''] = path.split('?')
  return { to, search: parseSearch(query) as never }
}
