import { Plus } from 'lucide-react'
import { useChange, useRead } from '@/api/hooks'
import { useCan, useSession } from '@/api/session'
import type { Schema } from '@/api/types'
import { FormDialog } from '@/form/FormDialog'
import { useWords } from '@/i18n/words'
import type { Column } from '@/list/DataTable'
import { useDialog } from '@/list/dialog'
import { ResourceList } from '@/list/ResourceList'
import { Badge } from '@/ui/Badge'
import { Button } from '@/ui/Button'
import { CodeBlock } from '@/ui/Code'
import { ConfirmDialog } from '@/ui/Dialog'
import { Empty } from '@/ui/Feedback'
import { Card, Facts, Page } from '@/ui/Page'
import { RowMenu } from '@/ui/RowMenu'
import { Time } from '@/ui/Time'
import { useIssuerFields } from './fields'
import { useMessages } from './messages'

type Issuer = Schema<'TokenIssuerView'>

const PATH = '/api/v1/token_issuers'

/** The body without the choice that only the form needs. */
function withoutMethod({ method: _, ...body }: Record<string, unknown>): Record<string, unknown> {
  return body
}

export default function TokenIssuersPage() {
  const t = useMessages()
  const w = useWords()
  const can = useCan()
  const fields = useIssuerFields()
  const [dialog, open, close] = useDialog<'new' | 'edit' | 'delete'>()
  const chosen = useRead('/api/v1/token_issuers/{id}', { params: { id: dialog.id } }, { enabled: dialog.id !== '' })
  const issuer = chosen.data?.id === dialog.id ? chosen.data : undefined
  const create = useChange('post', PATH, [PATH])
  const update = useChange('patch', '/api/v1/token_issuers/{id}', [PATH])
  const remove = useChange('delete', '/api/v1/token_issuers/{id}', [PATH])
  const canWrite = can('token_issuers:write')
  const columns: Column<Issuer>[] = [
    { id: 'name', header: w.name, cell: (each) => each.name, value: (each) => each.name },
    { id: 'issuer', header: t.issuer, cell: (each) => <code>{each.issuer}</code>, value: (each) => each.issuer },
    { id: 'audience', header: t.audience, cell: (each) => <code>{each.audience}</code>, value: (each) => each.audience },
    { id: 'keys', header: t.keys, cell: (each) => (each.jwks_url ? <code>{each.jwks_url}</code> : t.secretEnding(each.secret?.last4 ?? '')), value: (each) => each.jwks_url },
    { id: 'role', header: t.role, cell: (each) => each.role, value: (each) => each.role },
    { id: 'state', header: w.state, cell: (each) => <Badge tone={each.is_active ? 'success' : 'neutral'}>{each.is_active ? w.active : w.inactive}</Badge>, value: (each) => each.is_active },
    {
      id: 'tenantHeader',
      header: t.tenantHeader,
      cell: (each) => <span title={each.needs_tenant_header ? t.neededHelp : undefined}><Badge tone={each.needs_tenant_header ? 'warning' : 'neutral'}>{each.needs_tenant_header ? t.needed : t.notNeeded}</Badge></span>,
      value: (each) => each.needs_tenant_header,
    },
    { id: 'userClaim', header: t.userClaim, isOptional: true, cell: (each) => <code>{each.user_claim}</code>, value: (each) => each.user_claim },
    { id: 'algorithms', header: t.algorithms, isOptional: true, cell: (each) => each.algorithms.join(', '), value: (each) => each.algorithms.join(' ') },
    { id: 'created', header: w.created, isOptional: true, cell: (each) => <Time at={each.created_at} />, value: (each) => each.created_at },
  ]
  return (
    <Page
      title={t.title}
      description={t.description}
      actions={
        canWrite && (
          <Button look="primary" icon={<Plus size={16} />} onClick={() => open('new')}>
            {t.add}
          </Button>
        )
      }
    >
      <ResourceList
        path={PATH}
        label={t.title}
        columns={columns}
        rowKey={(each) => each.id}
        rowActions={(each) =>
          canWrite && (
            <RowMenu
              name={each.name}
              items={[
                { label: w.edit, onSelect: () => open('edit', each.id) },
                { label: w.delete, isDangerous: true, onSelect: () => open('delete', each.id) },
              ]}
            />
          )
        }
        empty={<Empty title={t.empty}>{t.emptyHint}</Empty>}
      />
      <Claims />
      {dialog.name === 'new' && canWrite && <FormDialog title={t.newTitle} fields={fields.ofNew} onClose={close} onSubmit={(body) => create.mutateAsync({ body: withoutMethod(body) as Schema<'TokenIssuerCreate'> })} />}
      {dialog.name === 'edit' && canWrite && issuer && (
        <FormDialog
          title={t.editTitle(issuer.name)}
          fields={fields.ofExisting}
          existing={{ ...issuer, method: issuer.jwks_url ? 'jwks' : 'secret' }}
          onClose={close}
          onSubmit={(body, ifMatch) => update.mutateAsync({ params: { id: issuer.id }, body: withoutMethod(body), ifMatch })}
        />
      )}
      {issuer && (
        <ConfirmDialog
          title={t.deleteTitle(issuer.name)}
          description={t.deleteHint}
          action={w.delete}
          isOpen={dialog.name === 'delete' && canWrite}
          onClose={close}
          onConfirm={() => remove.mutateAsync({ params: { id: issuer.id } })}
        />
      )}
    </Page>
  )
}

/** What a token must contain, and how it is sent. */
function Claims() {
  const t = useMessages()
  const { tenant } = useSession()
  const example = `curl ${location.origin}/v1/chat/completions \\\n  -H "Authorization: Bearer eyJ…" -H "x-loam-tenant: ${tenant}" \\\n  -H "Content-Type: application/json" \\\n  -d '{"model": "chat", "messages": [{"role": "user", "content": "Hello"}]}'`
  return (
    <Card title={t.how}>
      <Facts
        facts={[
          ['iss', t.claims.iss],
          ['aud', t.claims.aud],
          ['sub', t.claims.sub],
          ['exp', t.claims.exp],
        ]}
      />
      <CodeBlock code={example} label={t.example} />
    </Card>
  )
}
