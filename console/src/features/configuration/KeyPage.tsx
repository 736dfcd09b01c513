import { useParams } from '@tanstack/react-router'
import { useRead } from '@/api/hooks'
import { useVersioned } from '@/api/versioned'
import { useLanguage } from '@/i18n/language'
import { useSearchState } from '@/list/search'
import { Badge } from '@/ui/Badge'
import { Loaded } from '@/ui/Feedback'
import { Page } from '@/ui/Page'
import { Tabs } from '@/ui/Tabs'
import { ConfigForm } from './ConfigForm'
import { History } from './History'
import { LevelChoice } from './LevelChoice'
import { useLevel } from './level'
import { useMessages } from './messages'
import { keyText } from './texts'

export default function KeyPage() {
  const t = useMessages()
  const language = useLanguage()
  const { key = '' } = useParams({ strict: false }) as { key?: string }
  const { level, isChoice } = useLevel()
  const [search, setSearch] = useSearchState()
  const setting = useVersioned('/api/v1/system_config/{key}', { params: { key }, query: { level } })
  // Operators can read what the tenant inherits.
  const below = useRead('/api/v1/system_config/{key}', { params: { key }, query: { level: 'global' } }, { enabled: isChoice && level === 'tenant' })
  const text = keyText(key, language, setting.data?.value.description)
  return (
    <Page title={text.name} parent={{ title: t.title, to: '/configuration' }} description={<><code>{key}</code> · {text.help}</>} actions={setting.data?.value.per_tenant === false ? <Badge>{t.instanceOnly}</Badge> : <LevelChoice />}>
      <Tabs
        label={t.tabs}
        selected={search.tab ?? 'value'}
        onSelect={(tab) => setSearch({ tab: tab === 'value' ? undefined : tab, cursor: undefined })}
        tabs={[
          {
            id: 'value',
            label: t.value,
            content: (
              <Loaded query={setting} lines={8}>
                {({ value, version }) => (
                  <ConfigForm key={`${value.config_key} ${level}`} setting={value} version={version} below={level === 'global' ? value.default_value : below.data?.config_value} />
                )}
              </Loaded>
            ),
          },
          { id: 'history', label: t.history, content: <Loaded query={setting}>{({ value, version }) => <History setting={value} version={version} />}</Loaded> },
        ]}
      />
    </Page>
  )
}
