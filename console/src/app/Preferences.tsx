import { Languages, SunMoon } from 'lucide-react'
import { setLanguage, useLanguage } from '@/i18n/language'
import { IconButton } from '@/ui/Button'
import { Menu } from '@/ui/Menu'
import { setTheme, useTheme } from '@/ui/theme'
import { useAppMessages } from './messages'

/** Chooses the language and the theme. */
export function Preferences() {
  const t = useAppMessages()
  const language = useLanguage()
  const theme = useTheme()
  return (
    <>
      <Menu
        trigger={<IconButton label={t.language} icon={<Languages size={18} />} />}
        groups={[
          {
            items: [
              { label: 'English', isChecked: language === 'en', onSelect: () => setLanguage('en') },
              { label: '简体中文', isChecked: language === 'zh', onSelect: () => setLanguage('zh') },
            ],
          },
        ]}
      />
      <Menu
        trigger={<IconButton label={t.theme} icon={<SunMoon size={18} />} />}
        groups={[
          {
            items: [
              { label: t.system, isChecked: theme === 'system', onSelect: () => setTheme('system') },
              { label: t.light, isChecked: theme === 'light', onSelect: () => setTheme('light') },
              { label: t.dark, isChecked: theme === 'dark', onSelect: () => setTheme('dark') },
            ],
          },
        ]}
      />
    </>
  )
}
