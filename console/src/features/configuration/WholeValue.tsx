import { useState } from 'react'
import type { ApiError } from '@/api/request'
import type { Schema } from '@/api/types'
import { JsonEditor } from '@/form/JsonEditor'
import { syntaxError } from '@/form/jsonPlace'
import { Button } from '@/ui/Button'
import { useUiMessages } from '@/ui/messages'
import { useMessages } from './messages'

interface WholeValueProps {
  setting: Schema<'SystemConfigView'>
  error: ApiError | null
  isBusy: boolean
  onSave?: (value: object) => void
}

/** A value as JSON: for keys whose schema names no fields. */
export function WholeValue({ setting, error, isBusy, onSave }: WholeValueProps) {
  const t = useMessages()
  const ui = useUiMessages()
  const [text, setText] = useState(() => JSON.stringify(setting.set_value ?? setting.config_value, null, 2))
  return (
    <>
      <JsonEditor label={t.value} text={text} onChange={setText} error={error ? { path: error.param?.replace(/^config_value\.?/, '') ?? null, message: error.message } : undefined} />
      {onSave && (
        <div>
          <Button look="primary" isBusy={isBusy} disabled={syntaxError(text) !== null} onClick={() => onSave(JSON.parse(text) as object)}>
            {ui.save}
          </Button>
        </div>
      )}
    </>
  )
}
