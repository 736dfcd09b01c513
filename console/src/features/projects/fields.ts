import { useUserNames } from '@/api/names'
import type { Field } from '@/form/field'
import { useWords } from '@/i18n/words'
import { useMessages } from './messages'

/** The fields of projects: of a new one, and those that can be changed. */
export function useProjectFields(): { ofNew: Field[]; ofExisting: Field[] } {
  const t = useMessages()
  const w = useWords()
  const users = useUserNames()
  const choices = (names: Record<string, string>) => Object.entries(names).map(([value, label]) => ({ value, label }))
  const main: Field[] = [
    { name: 'name', label: w.name, isRequired: true },
    { name: 'description', label: w.description, kind: 'multiline' },
    { name: 'framework', label: t.framework, help: t.frameworkHelp },
    { name: 'owner_id', label: t.owner, kind: 'choice', options: users.options },
    { name: 'deadline', label: t.deadline, kind: 'time' },
  ]
  const states: Field[] = [
    { name: 'monitoring_status', label: t.monitoring, kind: 'choice', isRequired: true, options: choices(t.monitorings) },
    { name: 'delivery_status', label: t.delivery, kind: 'choice', isRequired: true, options: choices(t.deliveries) },
  ]
  const fraction = { kind: 'number' as const, min: 0, max: 1 }
  const config: Field[] = [
    { name: 'config.enabled', label: t.enabled, kind: 'boolean', initial: true },
    { name: 'config.sampling_rate', label: t.sampling, help: t.samplingHelp, ...fraction, initial: 1 },
    { name: 'config.auto_analysis', label: t.autoAnalysis, help: t.autoAnalysisHelp, kind: 'boolean', initial: false },
    { name: 'config.alert_threshold.response_time', label: t.responseTime, help: t.responseTimeHelp, kind: 'number', min: 0, initial: 1 },
    { name: 'config.alert_threshold.error_rate', label: t.errorRate, help: t.errorRateHelp, ...fraction, initial: 0.05 },
    { name: 'config.alert_threshold.memory_usage', label: t.memory, kind: 'number', min: 0, step: 1, initial: 512 },
    { name: 'config.allowed_origins', label: t.origins, help: t.originsHelp, kind: 'texts' },
  ]
  const objects: Field[] = [
    { name: 'tech_stack', label: t.techStack, help: t.jsonHelp, kind: 'json' },
    { name: 'timeline', label: t.timeline, help: t.jsonHelp, kind: 'json' },
    { name: 'metadata', label: t.metadata, help: t.jsonHelp, kind: 'json' },
  ]
  return { ofNew: [...main, ...config], ofExisting: [...main, ...states, ...config, ...objects] }
}
