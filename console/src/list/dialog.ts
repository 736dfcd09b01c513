import { useSearchState } from './search'

/** The window that a page's URL says is open, and the id of what it is about. */
export interface OpenDialog<Name extends string> {
  name: Name | undefined
  id: string
}

/** Keeps which window of a page is open in its URL: `?dialog=edit&item=…`. */
export function useDialog<Name extends string>(): [OpenDialog<Name>, (name: Name, id?: string) => void, () => void] {
  const [search, setSearch] = useSearchState()
  return [
    { name: search.dialog as Name | undefined, id: search.item ?? '' },
    (name, id) => setSearch({ dialog: name, item: id }),
    () => setSearch({ dialog: undefined, item: undefined }),
  ]
}
