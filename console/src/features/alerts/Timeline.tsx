import type { ReactNode } from 'react'
import type { Schema } from '@/api/types'
import { DateTime } from '@/ui/Time'
import { Actor } from '@/list/Names'
import styles from './alerts.module.css'
import { useMessages } from './messages'
import { contextOf } from './metric'

/** What happened with an incident, in order. */
export function Timeline({ event }: { event: Schema<'AlertEventView'> }) {
  const t = useMessages()
  const isRecovered = event.resolved_by?.startsWith('system:')
  const steps: { at: string | null; text: ReactNode; tone: string }[] = [
    { at: contextOf(event).to, text: t.breachFound, tone: 'danger' },
    { at: event.opened_at, text: t.incidentOpened, tone: 'danger' },
    { at: event.notified_at, text: event.notified_at ? t.notified : t.nobodyNotified, tone: 'neutral' },
  ]
  if (event.acknowledged_at) steps.push({ at: event.acknowledged_at, text: <By text={t.acknowledged} actor={event.acknowledged_by} />, tone: 'warning' })
  if (event.resolved_at) steps.push({ at: event.resolved_at, text: isRecovered ? t.recovered : <By text={t.resolved} actor={event.resolved_by} />, tone: 'success' })
  else steps.push({ at: null, text: t.stillOpen, tone: 'neutral' })
  return (
    <ol className={styles.timeline}>
      {steps.map((step, index) => (
        <li key={index} className={styles.step} data-tone={step.tone}>
          {step.at && <DateTime at={step.at} />}
          <span>{step.text}</span>
        </li>
      ))}
    </ol>
  )
}

function By({ text, actor }: { text: string; actor: string | null }) {
  return (
    <>
      {text}
      {actor && (
        <>
          {' · '}
          <Actor actor={actor} />
        </>
      )}
    </>
  )
}
