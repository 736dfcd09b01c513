import { Outlet } from '@tanstack/react-router'
import { Menu as MenuIcon, Search, UserRound } from 'lucide-react'
import { useEffect, useState } from 'react'
import { useSession } from '@/api/session'
import { Button, IconButton } from '@/ui/Button'
import { Dialog } from '@/ui/Dialog'
import { Menu } from '@/ui/Menu'
import { notify } from '@/ui/Toasts'
import icon from './icon.svg'
import { useAppMessages } from './messages'
import { Navigation } from './Navigation'
import { Palette } from './Palette'
import { PasswordForm } from './PasswordForm'
import { Preferences } from './Preferences'
import { ProjectSwitcher, TenantSwitcher } from './Switchers'
import styles from './Shell.module.css'

/** What surrounds every page: navigation, search, switchers and the account. */
export function Shell() {
  const t = useAppMessages()
  const { session, logOut } = useSession()
  const [isNavigationOpen, setNavigationOpen] = useState(false)
  const [isPaletteOpen, setPaletteOpen] = useState(false)
  const [isPasswordOpen, setPasswordOpen] = useState(false)
  useEffect(() => {
    function onKey(event: KeyboardEvent) {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
        event.preventDefault()
        setPaletteOpen(true)
      }
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [])
  return (
    <div className={styles.shell}>
      <a href="#content" className={styles.skip}>
        {t.skip}
      </a>
      <header className={styles.top}>
        <IconButton className={styles.menuButton} label={t.menu} icon={<MenuIcon size={18} />} onClick={() => setNavigationOpen(true)} />
        <img src={icon} alt="Loam" width={26} height={26} className={styles.logo} />
        <TenantSwitcher />
        <ProjectSwitcher />
        <div className={styles.space} />
        <Button className={styles.search} icon={<Search size={16} />} onClick={() => setPaletteOpen(true)}>
          <span className={styles.searchText}>{t.search}</span> <kbd className={styles.shortcut}>Ctrl K</kbd>
        </Button>
        <Preferences />
        <Menu
          trigger={<IconButton label={`${t.account}: ${session.user?.username ?? session.actor}`} icon={<UserRound size={18} />} />}
          groups={[
            {
              heading: session.user?.username ?? session.actor,
              items: [
                { label: t.changePassword, onSelect: () => setPasswordOpen(true) },
                { label: t.apiReference, onSelect: () => void window.open('/docs/', '_blank', 'noopener') },
                { label: t.logOut, onSelect: () => void logOut() },
              ],
            },
          ]}
        />
      </header>
      <aside className={styles.side}>
        <Navigation />
      </aside>
      <main id="content" className={styles.content} tabIndex={-1}>
        <Outlet />
      </main>
      <Dialog title="Loam" size="drawer" isOpen={isNavigationOpen} onClose={() => setNavigationOpen(false)}>
        <Navigation onFollow={() => setNavigationOpen(false)} />
      </Dialog>
      {isPaletteOpen && <Palette onClose={() => setPaletteOpen(false)} />}
      <Dialog title={t.changePassword} isOpen={isPasswordOpen} onClose={() => setPasswordOpen(false)}>
        <PasswordForm
          onChanged={() => {
            setPasswordOpen(false)
            notify(t.passwordChanged)
          }}
        />
      </Dialog>
    </div>
  )
}
