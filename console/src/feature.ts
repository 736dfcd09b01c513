import type { ComponentType } from 'react'
import type { Permission } from './api/generated/permissions'

export interface FeatureRoute {
  /** Path below /console, with parameters as `$id`. */
  path: string
  /** Loads the page, whose code is a file of its own. */
  load: () => Promise<{ default: ComponentType }>
}

/** A text in each language. */
export interface Text {
  en: string
  zh: string
}

export type Section = 'work' | 'insight' | 'models' | 'access' | 'system'

/** An entry of the navigation. It is shown to those who have its permission. */
export interface NavigationEntry {
  section: Section
  /** Entries of a section are sorted by it. */
  order: number
  path: string
  label: Text
  permission?: Permission
  /** It concerns the instance. */
  isForOperators?: boolean
}

/** Something that was found by its id or name. */
export interface Found {
  label: string
  /** What kind of thing it is. */
  kind: Text
  path: string
}

export interface Finder {
  permission?: Permission
  /** Looks for things by id or name. What isn't there isn't an error. */
  find: (text: string) => Promise<Found[]>
}

/** A slice of the console: its pages, its entries of the navigation, and what the search can find. */
export interface Feature {
  routes: FeatureRoute[]
  navigation?: NavigationEntry[]
  finders?: Finder[]
}

/** Whether a text can be the id of something. */
export function isId(text: string): boolean {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(text)
}
