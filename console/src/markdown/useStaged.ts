import { useEffect, useState } from 'react'

const FIRST = 3
const STEP = 2

/** How many of the last parts are drawn: few at first, the others while the browser has nothing else to do. What has
 * grown before the reader's eyes is there already. */
export function useStaged(count: number, isGrowing: boolean): number {
  const [shown, setShown] = useState(isGrowing ? Infinity : FIRST)
  useEffect(() => {
    if (shown >= count) return
    const more = () => setShown(shown + STEP)
    if (!('requestIdleCallback' in window)) {
      const timer = setTimeout(more, 50)
      return () => clearTimeout(timer)
    }
    const idle = requestIdleCallback(more, { timeout: 500 })
    return () => cancelIdleCallback(idle)
  }, [shown, count])
  return Math.min(shown, count)
}
