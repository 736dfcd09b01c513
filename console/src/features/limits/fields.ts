import { useKeyNames, useProjectNames, useUserNames } from '@/api/names'
import type { Schema } from '@/api/types'
import type { Field, Values } from '@/form/field'
import { useMessages } from './messages'

type Type = Schema<'LimitSubjectType'>

/** The fields of limits: of a new one, which begins with its subject, and those that can be changed. */
export function useLimitFields(): { ofNew: (values: Values) => Field[]; amounts: Field[] } {
  const t = useMessages()
  const users = useUserNames()
  const projects = useProjectNames()
  const keys = useKeyNames()
  const options = { tenant: [], user: users.options, project: projects.options, api_key: keys.options, end_user: keys.options }
  const amount = (name: keyof typeof t.help, step?: number): Field => ({ name, label: t[name], help: t.help[name], kind: 'number', min: 0, step })
  const amounts = [amount('requests_per_minute', 1), amount('tokens_per_minute', 1), amount('budget_per_day'), amount('budget_per_month'), amount('concurrency', 1)]
  function ofNew(values: Values): Field[] {
    const type = (values.subject_type ?? 'api_key') as Type
    const kind: Field = {
      name: 'subject_type',
      label: t.type,
      help: t.typeHelp[type],
      kind: 'choice',
      isRequired: true,
      initial: 'api_key',
      options: Object.entries(t.types).map(([value, label]) => ({ value, label })),
    }
    const subject: Field = { name: 'subject_id', label: t.who[type], kind: 'choice', options: options[type], isRequired: type !== 'end_user' }
    return type === 'tenant' ? [kind, ...amounts] : [kind, subject, ...amounts]
  }
  return { ofNew, amounts }
}
