import { MoreHorizontal } from 'lucide-react'
import { defineMessages } from '@/i18n/language'
import { IconButton } from './Button'
import { Menu, type MenuItem } from './Menu'

const useMessages = defineMessages({ actions: (name: string) => `Actions for ${name}` }, { actions: (name) => `${name} 的操作` })

/** What can be done with a row of a list. Items that are false are left out. */
export function RowMenu({ name, items }: { name: string; items: (MenuItem | false)[] }) {
  const t = useMessages()
  const shown = items.filter((item) => item !== false)
  if (shown.length === 0) return null
  return <Menu trigger={<IconButton label={t.actions(name)} icon={<MoreHorizontal size={18} />} />} groups={[{ items: shown }]} />
}
