/** A piece of code with what it is; without a kind it has no colour. */
export interface Piece {
  text: string
  kind?: 'comment' | 'string' | 'number' | 'keyword' | 'name'
}

interface Language {
  /** Regular expressions of comments and of strings. */
  comments: string[]
  strings: string[]
  keywords: string
  ignoresCase?: boolean
  /** What else has a meaning: names of keys, tags, variables. */
  names?: string
}

const SLASHES = ['\\/\\/.*', '\\/\\*[\\s\\S]*?(?:\\*\\/|$)']
const HASH = ['#.*']
const DOUBLE = '"(?:\\\\.|[^"\\\\\\n])*"?'
const SINGLE = "'(?:\\\\.|[^'\\\\\\n])*'?"
const CALL = '[A-Za-z_$][\\w$]*(?=\\()'

const c = (keywords: string, strings = [DOUBLE, SINGLE]): Language => ({ comments: SLASHES, strings, keywords, names: CALL })

const javascript = c(
  'abstract any as async await boolean break case catch class const continue debugger declare default delete do else enum export extends false finally for from function if implements import in infer instanceof interface is keyof let namespace new null number of private protected public readonly return satisfies set static string super switch this throw true try type typeof undefined unknown var void while with yield',
  ['`(?:\\\\.|[^`\\\\])*`?', DOUBLE, SINGLE],
)
const python: Language = {
  comments: HASH,
  strings: ['[rbfu]{0,2}"""[\\s\\S]*?(?:"""|$)', "[rbfu]{0,2}'''[\\s\\S]*?(?:'''|$)", `[rbfu]{0,2}${DOUBLE}`, `[rbfu]{0,2}${SINGLE}`],
  keywords: 'False None True and as assert async await break case class continue def del elif else except finally for from global if import in is lambda match nonlocal not or pass raise return self try while with yield',
  names: CALL,
}
const shell: Language = {
  comments: ['(?<=^|\\s)#.*'],
  strings: ['"(?:\\\\.|[^"\\\\])*"?', "'[^']*'?"],
  keywords: 'case do done elif else esac export fi for function if in local return set then until while',
  names: '\\$\\{?\\w+\\}?|(?<=\\s)--?[A-Za-z][\\w-]*',
}
const sql: Language = {
  comments: ['--.*', '\\/\\*[\\s\\S]*?(?:\\*\\/|$)'],
  strings: ["'(?:''|[^'])*'?", '"[^"\\n]*"?'],
  keywords:
    'add all alter and as asc begin between by case cascade check column commit constraint create cross default delete desc distinct drop else end exists explain false foreign from full group having if in index inner insert into is join key left like limit not null offset on or order outer over partition primary references returning right rollback select set table then true union unique update using values view when where with',
  ignoresCase: true,
  names: CALL,
}
const data: Language = { comments: [], strings: [DOUBLE], keywords: 'false null true', names: '"(?:\\\\.|[^"\\\\\\n])*"(?=\\s*:)' }
const yaml: Language = { comments: HASH, strings: [DOUBLE, SINGLE], keywords: 'false null true', names: '^\\s*(?:- )?[\\w.-]+(?=:)|^\\[[^\\]]*\\]|^[\\w.-]+(?=\\s*=)' }
const html: Language = { comments: ['<!--[\\s\\S]*?(?:-->|$)'], strings: [DOUBLE, SINGLE], keywords: '', names: '<\\/?[\\w-]+|\\/?>|[\\w:-]+(?==)' }
const css: Language = { comments: SLASHES.slice(1), strings: [DOUBLE, SINGLE], keywords: 'important and not only', names: '--[\\w-]+|@[\\w-]+|[\\w-]+(?=\\s*:)|\\.[\\w-]+' }

const LANGUAGES: Record<string, Language> = {
  javascript, js: javascript, jsx: javascript, typescript: javascript, ts: javascript, tsx: javascript,
  python, py: python,
  bash: shell, sh: shell, shell, zsh: shell, console: shell,
  sql, postgresql: sql, sqlite: sql, mysql: sql,
  json: data, jsonl: data, jsonc: data,
  yaml, yml: yaml, toml: yaml, ini: yaml,
  html, xml: html, svg: html, vue: html,
  css, scss: css,
  rust: c('as async await break const continue crate dyn else enum extern false fn for if impl in let loop match mod move mut pub ref return self Self static struct super trait true type unsafe use where while', [DOUBLE, "'(?:\\\\.|[^'\\\\\\n])'"]),
  go: c('break case chan const continue default defer else fallthrough false for func go goto if import interface iota map nil package range return select struct switch true type var', ['`[^`]*`?', DOUBLE, SINGLE]),
  java: c('abstract assert boolean break byte case catch char class const continue default do double else enum extends false final finally float for if implements import instanceof int interface long new null package private protected public record return short static super switch synchronized this throw throws true try var void volatile while'),
  c: c('auto bool break case char const continue default define do double else endif enum extern false float for goto if ifdef ifndef include inline int long nullptr register return short signed sizeof static struct switch true typedef union unsigned void volatile while'),
  cpp: c('auto bool break case catch char class const constexpr continue default define delete do double else endif enum explicit extern false float for friend if ifdef ifndef include inline int long namespace new noexcept nullptr operator override private protected public return short signed sizeof static struct switch template this throw true try typedef typename union unsigned using virtual void volatile while'),
  php: c('abstract and array as break case catch class const continue default do echo else elseif extends false final finally fn for foreach function if implements interface match namespace new null or private protected public require return static switch this throw trait true try use var while yield'),
  ruby: { comments: HASH, strings: [DOUBLE, SINGLE], keywords: 'alias and begin break case class def do else elsif end ensure false for if in module next nil not or require rescue return self super then true unless until when while yield', names: CALL },
}

const compiled = new Map<Language, RegExp>()

function patternOf(language: Language): RegExp {
  let pattern = compiled.get(language)
  if (!pattern) {
    const words = language.keywords ? `\\b(?:${language.keywords.split(' ').join('|')})\\b` : '(?!)'
    const any = (parts: (string | undefined)[]) => parts.filter(Boolean).join('|') || '(?!)'
    const source = `(?<comment>${any(language.comments)})|(?<name>${any([language.names?.startsWith('"') ? language.names : undefined])})|(?<string>${any(language.strings)})|(?<number>\\b(?:0x[\\da-f_]+|\\d[\\d_]*(?:\\.\\d+)?(?:e[+-]?\\d+)?)\\b)|(?<keyword>${words})|(?<other>${any([language.names])})`
    pattern = new RegExp(source, language.ignoresCase ? 'gim' : 'gm')
    compiled.set(language, pattern)
  }
  return pattern
}

/** The pieces of code in a language; null for a language that isn't known. Their texts together are the code. */
export function highlight(code: string, name: string): Piece[] | null {
  const language = LANGUAGES[name.toLowerCase()]
  if (!language) return null
  const pieces: Piece[] = []
  let end = 0
  for (const match of code.matchAll(patternOf(language))) {
    if (match.index > end) pieces.push({ text: code.slice(end, match.index) })
    const [kind] = Object.entries(match.groups ?? {}).find(([, text]) => text !== undefined) ?? []
    pieces.push({ text: match[0], kind: (kind === 'other' ? 'name' : kind) as Piece['kind'] })
    end = match.index + match[0].length
  }
  if (end < code.length) pieces.push({ text: code.slice(end) })
  return pieces
}
