import { useCallback, useRef } from 'react'

/** A function that stays the same, and calls the newest one: what takes it isn't drawn again because of it. */
export function useEvent<A extends unknown[]>(newest: (...args: A) => void): (...args: A) => void {
  const latest = useRef(newest)
  latest.current = newest
  return useCallback((...args: A) => latest.current(...args), [])
}
