import { useRead } from '@/api/hooks'
import { useProjects } from '@/api/projects'
import { useSession } from '@/api/session'
import { useSearchState } from '@/list/search'
import { useAppMessages } from './messages'
import styles from './Switchers.module.css'

const MOST = 200

/** The tenant that the pages show. Operators choose it; others see its name. */
export function TenantSwitcher() {
  const t = useAppMessages()
  const { session, tenant, setTenant } = useSession()
  const tenants = useRead('/api/v1/tenants', { query: { limit: MOST } }, { enabled: session.operator })
  const names = new Map(tenants.data?.data.map((each) => [each.slug, each.name]))
  if (!session.operator || names.size < 2) return <span className={styles.name}>{names.get(tenant) ?? session.tenant_name}</span>
  return (
    <select className={styles.switcher} aria-label={t.tenant} value={tenant} onChange={(event) => setTenant(event.target.value)}>
      {!names.has(tenant) && <option value={tenant}>{tenant}</option>}
      {[...names].map(([slug, name]) => (
        <option key={slug} value={slug}>
          {name}
        </option>
      ))}
    </select>
  )
}

/** The project that pages are limited to. */
export function ProjectSwitcher() {
  const t = useAppMessages()
  const { projectId, setProjectId } = useSession()
  const { projects } = useProjects()
  const [, setSearch] = useSearchState()
  if (projects.length === 0) return null
  return (
    <select className={styles.switcher} aria-label={t.project} value={projectId ?? ''} onChange={(event) => {
        setProjectId(event.target.value || null)
        setSearch({ cursor: undefined, selected: undefined })
      }}
    >
      <option value="">{t.allProjects}</option>
      {projects.map((project) => (
        <option key={project.id} value={project.id}>
          {project.name}
        </option>
      ))}
    </select>
  )
}
