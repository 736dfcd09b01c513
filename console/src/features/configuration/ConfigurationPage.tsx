import { Link } from '@tanstack/react-router'
import { useRead } from '@/api/hooks'
import type { Schema } from '@/api/types'
import { useLanguage } from '@/i18n/language'
import { useSearchState } from '@/list/search'
import { Loaded } from '@/ui/Feedback'
import { Card, Page } from '@/ui/Page'
import { Tabs } from '@/ui/Tabs'
import { Time } from '@/ui/Time'
import styles from './configuration.module.css'
import { LevelChoice } from './LevelChoice'
import { type Level, useLevel } from './level'
import { useMessages } from './messages'
import { Retention } from './Retention'
import { SourceBadge } from './SourceBadge'
import { keyText } from './texts'

type Setting = Schema<'SystemConfigView'>

export default function ConfigurationPage() {
  const t = useMessages()
  const { level } = useLevel()
  const [search, setSearch] = useSearchState()
  const keys = useRead('/api/v1/system_config', { query: { level } })
  return (
    <Page title={t.title} description={t.description} actions={<LevelChoice />}>
      <Tabs
        label={t.tabs}
        selected={search.tab ?? 'keys'}
        onSelect={(tab) => setSearch({ tab: tab === 'keys' ? undefined : tab })}
        tabs={[
          { id: 'keys', label: t.keys, content: <Loaded query={keys} lines={12}>{({ data }) => <Categories settings={data} level={level} />}</Loaded> },
          { id: 'retention', label: t.retention, content: <Loaded query={keys} lines={12}>{({ data }) => <Retention settings={data} level={level} />}</Loaded> },
        ]}
      />
    </Page>
  )
}

function Categories({ settings, level }: { settings: Setting[]; level: Level }) {
  const t = useMessages()
  const categories = [...new Set(settings.map((setting) => setting.category))]
  return (
    <div className={styles.categories}>
      {categories.map((category) => (
        <Card key={category} title={t.categories[category] ?? category}>
          <ul className={styles.keys}>
            {settings.filter((setting) => setting.category === category).map((setting) => <Entry key={setting.config_key} setting={setting} level={level} />)}
          </ul>
        </Card>
      ))}
    </div>
  )
}

function Entry({ setting, level }: { setting: Setting; level: Level }) {
  const t = useMessages()
  const text = keyText(setting.config_key, useLanguage(), setting.description)
  return (
    <li className={styles.key}>
      <div className={styles.keyText}>
        <p>
          <Link to={`/configuration/${setting.config_key}`} search={(level === 'tenant' ? { level } : {}) as never} className={styles.name}>
            {text.name}
          </Link>{' '}
          <code className={styles.muted}>{setting.config_key}</code>
        </p>
        <p className={styles.muted}>{text.help}</p>
      </div>
      <div className={styles.keyState}>
        <SourceBadge source={setting.source} />
        {setting.updated_at && (
          <span className={styles.muted}>
            {t.changed} <Time at={setting.updated_at} />
          </span>
        )}
      </div>
    </li>
  )
}
