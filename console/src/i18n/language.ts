import { useSyncExternalStore } from 'react'

export type Language = 'en' | 'zh'

const STORED = 'loam.language'
const listeners = new Set<() => void>()
let current: Language = initial()

function initial(): Language {
  const stored = localStorage.getItem(STORED)
  if (stored === 'en' || stored === 'zh') return stored
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en'
}

function apply(): void {
  document.documentElement.lang = current === 'zh' ? 'zh-CN' : 'en'
}
apply()

export function currentLanguage(): Language {
  return current
}

export function setLanguage(language: Language): void {
  current = language
  localStorage.setItem(STORED, language)
  apply()
  for (const listener of listeners) listener()
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

export function useLanguage(): Language {
  return useSyncExternalStore(subscribe, currentLanguage)
}

/** The shape of a translation: the same keys, with texts for texts and functions for functions. */
type Translation<T> = {
  [K in keyof T]: T[K] extends string
    ? string
    : T[K] extends (...values: infer V) => string
      ? (...values: V) => string
      : Translation<T[K]>
}

/** The texts of a feature in both languages, as a hook that gives those of the current one. */
export function defineMessages<T extends object>(en: T, zh: Translation<T>): () => T {
  return () => (useLanguage() === 'zh' ? (zh as T) : en)
}
