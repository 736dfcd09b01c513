import type { Schema } from '@/api/types'
import { linesOfTags, tagsOfLines } from './metric'

type Rule = Schema<'AlertRuleView'>
type Body = Record<string, unknown>

/** A rule as the form shows it: its tags are lines. */
export function formOfRule(rule: Rule): object {
  return { ...rule, selector: { ...rule.selector, tags: rule.selector.tags && linesOfTags(rule.selector.tags) } }
}

/** The body of the request from that of the form. */
export function bodyOfRule(form: Body, existing: Partial<Rule> | undefined): Body {
  const body = { ...form }
  const selector = form.selector as (Body & { tags?: string[] | null }) | undefined
  if (selector && 'tags' in selector) body.selector = { ...selector, tags: changedTags(selector.tags ?? [], existing?.selector?.tags) }
  const delivery = form.delivery as { webhook?: { url?: string | null }; email?: { to?: string[] | null } } | undefined
  if (delivery) {
    // A target without its address is removed as a whole.
    body.delivery = {
      ...delivery,
      ...(delivery.webhook?.url === null && { webhook: null }),
      ...(delivery.email?.to === null && { email: null }),
    }
  }
  return body
}

/** The tags as a merge patch, in which those that are gone are null. */
function changedTags(lines: string[], existing: Record<string, string> | undefined): Record<string, string | null> {
  const removed = Object.fromEntries(Object.keys(existing ?? {}).map((name) => [name, null]))
  return { ...removed, ...tagsOfLines(lines) }
}
