import { Menu as Base } from '@base-ui/react/menu'
import { Check } from 'lucide-react'
import type { ReactElement, ReactNode } from 'react'
import { classes } from './classes'
import styles from './Popup.module.css'

export interface MenuItem {
  label: string
  icon?: ReactNode
  onSelect: () => void
  isDangerous?: boolean
  isDisabled?: boolean
  /** Set for an item that is one of several choices. */
  isChecked?: boolean
}

export interface MenuGroup {
  heading?: string
  items: MenuItem[]
}

/** A button that opens a list of actions. */
export function Menu({ trigger, groups }: { trigger: ReactElement; groups: MenuGroup[] }) {
  return (
    <Base.Root modal={false}>
      <Base.Trigger render={trigger as ReactElement<Record<string, unknown>>} />
      <Base.Portal>
        <Base.Positioner className={styles.positioner} sideOffset={4} align="end">
          <Base.Popup className={styles.popup}>
            {groups.map((group, index) => (
              <Base.Group key={group.heading ?? index}>
                {index > 0 && <Base.Separator className={styles.separator} />}
                {group.heading && <Base.GroupLabel className={styles.heading}>{group.heading}</Base.GroupLabel>}
                {group.items.map((item) => (
                  <Base.Item key={item.label} className={classes(styles.item, item.isDangerous && styles.dangerous)} disabled={item.isDisabled} onClick={item.onSelect}>
                    {item.isChecked === undefined ? item.icon : item.isChecked ? <Check size={16} /> : <span className={styles.gap} />}
                    {item.label}
                    {item.isChecked && <span className="visually-hidden">✓</span>}
                  </Base.Item>
                ))}
              </Base.Group>
            ))}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  )
}
