import type { ButtonHTMLAttributes, ReactNode, Ref } from 'react'
import { classes } from './classes'
import styles from './Button.module.css'
import { Tooltip } from './Tooltip'

type Look = 'primary' | 'secondary' | 'plain' | 'danger'

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: Look
  icon?: ReactNode
  /** An action is under way: the button can't be pressed again. */
  isBusy?: boolean
  ref?: Ref<HTMLButtonElement>
}

export function Button({ look = 'secondary', icon, isBusy, children, className, disabled, ...rest }: ButtonProps) {
  return (
    <button type="button" className={classes(styles.button, styles[look], className)} disabled={disabled || isBusy} aria-busy={isBusy || undefined} {...rest}>
      {icon}
      {children}
    </button>
  )
}

interface IconButtonProps extends Omit<ButtonProps, 'children'> {
  /** Its name, for its tooltip and for screen readers. */
  label: string
  icon: ReactNode
}

/** A button that shows only an icon. */
export function IconButton({ label, icon, look = 'plain', className, ...rest }: IconButtonProps) {
  return (
    <Tooltip label={label}>
      <Button look={look} aria-label={label} icon={icon} className={classes(styles.icon, className)} {...rest} />
    </Tooltip>
  )
}
