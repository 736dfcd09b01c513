import { useRead } from './hooks'
import { useCan } from './session'
import type { Schema } from './types'
import { shortId } from '@/i18n/format'

const MOST = 200

export interface Projects {
  projects: Schema<'ProjectView'>[]
  /** The name of a project, or the end of its id where the caller may not read it. */
  nameOf: (id: string) => string
  isLoaded: boolean
  isLoading: boolean
}

/** The projects of the tenant, newest first. */
export function useProjects(): Projects {
  const can = useCan()
  const read = useRead('/api/v1/projects', { query: { limit: MOST } }, { enabled: can('projects:read') })
  const projects = read.data?.data ?? []
  return {
    projects,
    nameOf: (id) => projects.find((project) => project.id === id)?.name ?? shortId(id),
    isLoaded: read.data !== undefined,
    isLoading: read.isLoading,
  }
}
