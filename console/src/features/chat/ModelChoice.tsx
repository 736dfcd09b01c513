import styles from './chat.module.css'
import { useMessages } from './messages'
import { useModels } from './useModels'

interface ModelChoiceProps {
  label: string
  value: string
  /** What the empty choice is called. */
  none: string
  onChange: (model: string) => void
  isDisabled?: boolean
}

/** Chooses a route or a model of a provider. */
export function ModelChoice({ label, value, none, onChange, isDisabled }: ModelChoiceProps) {
  const t = useMessages()
  const { routes, byProvider } = useModels()
  const known = routes.includes(value) || byProvider.some(([, models]) => models.includes(value))
  return (
    <select className={styles.input} aria-label={label} value={value} disabled={isDisabled} onChange={(event) => onChange(event.target.value)}>
      <option value="">{none}</option>
      {value && !known && <option value={value}>{value}</option>}
      {routes.length > 0 && (
        <optgroup label={t.routes}>
          {routes.map((route) => (
            <option key={route} value={route}>
              {route}
            </option>
          ))}
        </optgroup>
      )}
      {byProvider.map(([provider, models]) => (
        <optgroup key={provider} label={t.ofProvider(provider)}>
          {models.map((model) => (
            <option key={model} value={model}>
              {model}
            </option>
          ))}
        </optgroup>
      ))}
    </select>
  )
}
