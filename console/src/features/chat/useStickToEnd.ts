import { type RefObject, useEffect, useLayoutEffect, useRef, useState } from 'react'

/** As near to the end counts as being there. */
const NEAR = 48
/** A movement of the scroll position within as many milliseconds of an input is the reader's. */
const INTENT_MS = 500

interface StickToEnd {
  scroller: RefObject<HTMLDivElement | null>
  content: RefObject<HTMLDivElement | null>
  /** The reader has scrolled away from the end. */
  isAway: boolean
  toEnd: () => void
}

/** Keeps the end of a growing content in view, until the reader scrolls up. */
export function useStickToEnd(key: string): StickToEnd {
  const scroller = useRef<HTMLDivElement>(null)
  const content = useRef<HTMLDivElement>(null)
  const isStuck = useRef(true)
  const [isAway, setAway] = useState(false)

  function toEnd() {
    isStuck.current = true
    setAway(false)
    const element = scroller.current
    if (element) element.scrollTop = element.scrollHeight
  }
  useLayoutEffect(toEnd, [key])

  useEffect(() => {
    const element = scroller.current
    const inner = content.current
    if (!element || !inner) return
    let intent = 0
    const onIntent = () => (intent = performance.now())
    function onScroll() {
      const gap = element!.scrollHeight - element!.scrollTop - element!.clientHeight
      // Heights that are measured late move the position too: only the reader lets it go.
      if (gap < NEAR) isStuck.current = true
      else if (performance.now() - intent < INTENT_MS) isStuck.current = false
      setAway(!isStuck.current)
    }
    const observer = new ResizeObserver(() => {
      if (isStuck.current) element.scrollTop = element.scrollHeight
    })
    observer.observe(inner)
    observer.observe(element)
    const intents = ['wheel', 'touchmove', 'pointerdown', 'pointermove', 'keydown'] as const
    element.addEventListener('scroll', onScroll, { passive: true })
    for (const name of intents) element.addEventListener(name, onIntent, { passive: true })
    return () => {
      observer.disconnect()
      element.removeEventListener('scroll', onScroll)
      for (const name of intents) element.removeEventListener(name, onIntent)
    }
  }, [])

  return { scroller, content, isAway, toEnd }
}
