import { useState } from 'react'
import { useProjects } from '@/api/projects'
import { useSession } from '@/api/session'
import { useSearchState } from '@/list/search'
import { CodeBlock } from '@/ui/Code'
import { Card, Page } from '@/ui/Page'
import { Tabs } from '@/ui/Tabs'
import styles from './connect.module.css'
import { FirstRecord } from './FirstRecord'
import { useMessages } from './messages'
import { ProjectStep } from './ProjectStep'
import { FRAMEWORKS, frameworkOf, serviceName, snippetsOf } from './snippets'

export default function ConnectPage() {
  const t = useMessages()
  const { projectId } = useSession()
  const { projects } = useProjects()
  const [search, setSearch] = useSearchState()
  // Keys that were shown on this page, by project: the server never shows them again.
  const [keys, setKeys] = useState<Record<string, string | null>>({})
  const project = projects.find(({ id }) => id === (search.project ?? projectId))
  const framework = frameworkOf(search.framework) ?? frameworkOf(project?.framework?.toLowerCase()) ?? 'fastapi'
  const values = { origin: location.origin, key: (project && keys[project.id]) ?? null, service: serviceName(project?.name) }
  return (
    <Page title={t.title} description={t.description}>
      <ProjectStep
        project={project}
        shownKey={project && keys[project.id]}
        onChoose={(id) => setSearch({ project: id })}
        onKey={(id, key) => {
          setKeys((previous) => ({ ...previous, [id]: key }))
          setSearch({ project: id })
        }}
      />
      <Card title={t.sendStep}>
        <Tabs
          label={t.sendLabel}
          selected={framework}
          onSelect={(id) => setSearch({ framework: id })}
          tabs={FRAMEWORKS.map((each) => ({
            id: each,
            label: t.frameworks[each],
            content: (
              <div className={styles.snippets}>
                <p>{t.about[each]}</p>
                {snippetsOf(each, values).map((snippet) => (
                  <div key={snippet.name}>
                    <h3>{t.snippets[snippet.name]}</h3>
                    <CodeBlock code={snippet.code} label={t.snippets[snippet.name]} />
                  </div>
                ))}
              </div>
            ),
          }))}
        />
      </Card>
      <Card title={t.firstStep}>{project ? <FirstRecord key={project.id} project={project} /> : <p>{t.waitingProject}</p>}</Card>
    </Page>
  )
}
