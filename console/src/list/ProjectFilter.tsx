import { useProjects } from '@/api/projects'
import { useSession } from '@/api/session'
import type { Schema } from '@/api/types'
import styles from './list.module.css'
import { useListMessages } from './messages'
import { useSearchState } from './search'

interface CurrentProject {
  /** Null while it isn't known, and where there is none. */
  projectId: string | null
  projects: Schema<'ProjectView'>[]
  isLoading: boolean
}

/** The project of a page that shows one: that of the URL, else the chosen one, else the one heard from last. */
export function useProject(): CurrentProject {
  const { projectId } = useSession()
  const [search] = useSearchState()
  const { projects, isLoading } = useProjects()
  const newest = [...projects].sort((a, b) => (b.last_activity ?? '').localeCompare(a.last_activity ?? ''))[0]
  return { projectId: search.project_id ?? projectId ?? newest?.id ?? null, projects, isLoading }
}

/** Chooses the project of such a page, unless one is chosen for all pages and the URL names no other. */
export function ProjectFilter() {
  const t = useListMessages()
  const { projectId: chosenForAll } = useSession()
  const [, setSearch] = useSearchState()
  const { projectId, projects } = useProject()
  if ((chosenForAll && chosenForAll === projectId) || projects.length < 2) return null
  return (
    <select className={styles.filter} aria-label={t.project} value={projectId ?? ''} onChange={(event) => setSearch({ project_id: event.target.value, cursor: undefined })}>
      {projects.map((project) => (
        <option key={project.id} value={project.id}>
          {project.name}
        </option>
      ))}
    </select>
  )
}
