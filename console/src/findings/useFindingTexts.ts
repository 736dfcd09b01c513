import type { Schema } from '@/api/types'
import { useFormat } from '@/i18n/format'
import { useLanguage } from '@/i18n/language'
import { CHINESE } from './chinese'

export interface FindingTexts {
  description: string
  title: string
  advice: string
  /** The language of the advice, if it isn't the reader's. */
  language?: 'en'
}

/** The texts of findings in the reader's language; those of the server where a finding has no code. */
export function useFindingTexts(): (finding: Schema<'Finding'>) => FindingTexts {
  const f = useFormat()
  const language = useLanguage()
  const figures = {
    time: (ns: number | undefined) => f.duration(ns === undefined ? null : ns / 1e6),
    share: f.percent,
    bytes: (bytes: number | undefined) => f.bytes(bytes),
  }
  return (finding) => {
    const { code, parameters = {}, description, suggestion } = finding
    const chinese = language === 'zh' && code ? CHINESE[code] : undefined
    if (!chinese) return { description, title: suggestion.title, advice: suggestion.description, language: language === 'en' ? undefined : 'en' }
    const facts = { ...finding, parameters }
    return { description: chinese.description(facts, figures), title: chinese.title(facts), advice: chinese.advice }
  }
}

/** The texts of suggestions in the reader's language; those of the server where a suggestion has no code, as a model's. */
export function useSuggestionTexts(): (suggestion: Schema<'SuggestionView'>) => { title: string; description: string } {
  const language = useLanguage()
  return ({ code, parameters, function: name, title, description }) => {
    const chinese = language === 'zh' && code ? CHINESE[code] : undefined
    return chinese && name ? { title: chinese.title({ function: name, parameters: parameters ?? {} }), description: chinese.advice } : { title, description }
  }
}
