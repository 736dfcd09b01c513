import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Link, type RouteComponent } from '@tanstack/react-router'
import { features } from '@/features'
import { parseSearch, stringifySearch } from '@/list/search'
import { Button } from '@/ui/Button'
import { CodeBlock } from '@/ui/Code'
import { Empty } from '@/ui/Feedback'
import { Page } from '@/ui/Page'
import { useAppMessages } from './messages'
import { Shell } from './Shell'

function NotFound() {
  const t = useAppMessages()
  return (
    <Page title={t.notFound}>
      <Empty title={t.notFoundHint} action={<Link to="/">{t.home}</Link>} />
    </Page>
  )
}

function Crashed({ error }: { error: unknown }) {
  const t = useAppMessages()
  return (
    <Page title={t.crashed}>
      <p>{t.crashedHint}</p>
      <CodeBlock code={error instanceof Error ? (error.stack ?? error.message) : String(error)} />
      <div>
        <Button onClick={() => location.reload()}>{t.reload}</Button>
      </div>
    </Page>
  )
}

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound })
const routes = features.flatMap((feature) =>
  feature.routes.map(({ path, load }) => createRoute({ getParentRoute: () => root, path, component: lazyRouteComponent(load) as RouteComponent })),
)

export const router = createRouter({
  routeTree: root.addChildren(routes),
  basepath: '/console',
  parseSearch,
  stringifySearch,
  defaultPreload: 'intent',
  defaultErrorComponent: Crashed,
  scrollRestoration: true,
})
