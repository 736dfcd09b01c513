import { useSyncExternalStore } from 'react'

export type Theme = 'system' | 'light' | 'dark'

const STORED = 'loam.theme'
const listeners = new Set<() => void>()
const system = matchMedia('(prefers-color-scheme: dark)')
let chosen: Theme = initial()

function initial(): Theme {
  const stored = localStorage.getItem(STORED)
  return stored === 'light' || stored === 'dark' ? stored : 'system'
}

/** Whether the page is dark now. */
export function isDark(): boolean {
  return chosen === 'dark' || (chosen === 'system' && system.matches)
}

function apply(): void {
  document.documentElement.dataset.theme = isDark() ? 'dark' : 'light'
  for (const listener of listeners) listener()
}
system.addEventListener('change', apply)
apply()

export function setTheme(theme: Theme): void {
  chosen = theme
  if (theme === 'system') localStorage.removeItem(STORED)
  else localStorage.setItem(STORED, theme)
  apply()
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

export function useTheme(): Theme {
  return useSyncExternalStore(subscribe, () => chosen)
}

/** Whether the page is dark, for what draws on a canvas. */
export function useIsDark(): boolean {
  return useSyncExternalStore(subscribe, isDark)
}
