import { useRead } from '@/api/hooks'
import { useCan } from '@/api/session'

export interface Models {
  isLoaded: boolean
  routes: string[]
  /** `provider/model`, by provider. */
  byProvider: [provider: string, models: string[]][]
}

/** The models that the caller may use, routes first. */
export function useModels(): Models {
  const can = useCan()
  const list = useRead('/v1/models', {}, { enabled: can('gateway:call') })
  const entries = list.data?.data ?? []
  const groups = new Map<string, string[]>()
  for (const { id, owned_by } of entries) if (owned_by !== 'route') groups.set(owned_by, [...(groups.get(owned_by) ?? []), id])
  return {
    isLoaded: list.data !== undefined || list.error !== null || !can('gateway:call'),
    routes: entries.filter(({ owned_by }) => owned_by === 'route').map(({ id }) => id),
    byProvider: [...groups],
  }
}
