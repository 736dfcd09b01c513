import type { Schema } from '@/api/types'

export interface Bottleneck {
  type: string
  severity: string
  function: string
  description: string
  impact: number
  /** The calls of the record that show it. */
  calls?: string[]
}

export interface Advice {
  category: string
  priority: string
  title: string
  description: string
  expected_improvement?: string
  code_example?: string
  function?: string
}

export interface Results {
  performance_score: number | null
  bottleneck_analysis: Bottleneck[]
  optimization_suggestions: Advice[]
  risk_assessment: Partial<Record<'current_risks' | 'potential_issues' | 'recommendations', string[]>>
}

/** The results of an analysis; null while there are none. */
export function resultsOf(analysis: Schema<'AnalysisView'>): Results | null {
  const results = analysis.analysis_results as Partial<Results> | undefined
  if (!results || Object.keys(results).length === 0) return null
  return {
    performance_score: results.performance_score ?? null,
    bottleneck_analysis: results.bottleneck_analysis ?? [],
    optimization_suggestions: results.optimization_suggestions ?? [],
    risk_assessment: results.risk_assessment ?? {},
  }
}

interface AnalysisSettings {
  model?: string | null
  usd_per_day?: number | null
  projects?: Record<string, { model?: string | null; usd_per_day?: number | null }>
}

/** The model and the cost limit of a project by the live configuration. */
export function settingsFor(config: unknown, projectId: string | undefined): { model: string | null; limit: number | null } {
  const settings = (config ?? {}) as AnalysisSettings
  const own = projectId ? settings.projects?.[projectId] : undefined
  return { model: own?.model ?? settings.model ?? null, limit: own?.usd_per_day ?? settings.usd_per_day ?? null }
}

/** What the analyses of today (UTC) have cost. */
export function spentToday(analyses: Schema<'AnalysisView'>[], now: Date): number {
  const today = now.toISOString().slice(0, 10)
  return analyses.filter((each) => each.created_at.startsWith(today)).reduce((sum, each) => sum + (each.analysis_metadata.cost ?? 0), 0)
}
