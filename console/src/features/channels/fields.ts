import type { Schema } from '@/api/types'
import type { Field } from '@/form/field'
import type { useMessages } from './messages'

type Texts = ReturnType<typeof useMessages>
type Kind = Schema<'ChannelKind'>

/** The fields of a channel's form: those of its connection depend on its kind. */
export function channelFields(t: Texts, kind: Kind | undefined, projects: { id: string; name: string }[], isNew: boolean): Field[] {
  const identity: Field[] = [
    { name: 'name', label: t.name, help: t.nameHelp, isRequired: true, placeholder: 'support' },
    { name: 'kind', label: t.kind, help: t.kindHelp, kind: 'choice', isRequired: true, options: Object.entries(t.kinds).map(([value, label]) => ({ value, label })) },
  ]
  const secret: Field = { name: 'secret', label: t.secret, help: isNew ? t.secretHelp : t.newSecretHelp, kind: 'secret' }
  const connection: Record<Kind, Field[]> = {
    webhook: [{ name: 'config.url', label: t.url, help: t.urlHelp, placeholder: 'https://bots.example.com/loam' }, secret],
    telegram: [
      { name: 'config.bot_token', label: t.botToken, help: t.botTokenHelp, kind: 'secret', isRequired: isNew },
      { name: 'config.api_url', label: t.apiUrl, placeholder: 'https://api.telegram.org' },
      secret,
    ],
  }
  const settings: Field[] = [
    { name: 'settings.auto_reply', label: t.autoReply, help: t.autoReplyHelp, kind: 'boolean', initial: true },
    { name: 'settings.model', label: t.model, help: t.modelHelp },
    { name: 'settings.system_prompt', label: t.systemPrompt, help: t.systemPromptHelp, kind: 'multiline' },
    { name: 'settings.reply_timeout', label: t.replyTimeout, kind: 'number', min: 1, max: 600, step: 1, initial: 120 },
    { name: 'settings.failure_text', label: t.failureText, help: t.failureTextHelp },
    { name: 'settings.provision_users', label: t.provisionUsers, help: t.provisionUsersHelp, kind: 'boolean' },
    { name: 'project_id', label: t.project, help: t.projectHelp, kind: 'choice', options: projects.map(({ id, name }) => ({ value: id, label: name })) },
  ]
  return [...(isNew ? identity : []), ...(kind ? [...connection[kind], ...settings] : [])]
}

/** A program that sends a message to a channel of kind `webhook`. */
export function senderProgram(url: string): string {
  return `import hashlib, hmac, json, time, urllib.request

SECRET = "…"  # the channel's signing secret
URL = "${url}"

event = {"event_id": f"e-{time.time_ns()}", "chat": {"id": "c-1"}, "sender": {"id": "u-1"}, "message": {"text": "Hello"}}
body = json.dumps(event).encode()
at = str(int(time.time()))
digest = hmac.new(SECRET.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
headers = {"content-type": "application/json", "x-loam-timestamp": at, "x-loam-signature": f"v1={digest}"}
print(urllib.request.urlopen(urllib.request.Request(URL, body, headers)).read().decode())
`
}
