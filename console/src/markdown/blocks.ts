import { Lexer, type Token, type Tokens } from 'marked'

/** A top-level block of a text: a paragraph, a list, a table, … */
export interface Block {
  raw: string
  token: Token
}

export interface Parsed {
  /** The text that was parsed, with line feeds only. */
  text: string
  blocks: Block[]
}

const NOTHING: Parsed = { text: '', blocks: [] }

/** Parses a text into blocks. Where it continues a text that was parsed before, only what may still change is parsed
 * again: the last block, and the blank lines after it. */
export function parseBlocks(source: string, previous: Parsed = NOTHING): Parsed {
  const text = source.includes('\r') ? source.replace(/\r\n?/g, '\n') : source
  const isContinued = previous.blocks.length > 0 && text.startsWith(previous.text)
  if (isContinued && text.length === previous.text.length) return previous
  const kept = isContinued ? previous.blocks.slice(0, stableCount(previous.blocks)) : []
  const from = kept.reduce((length, block) => length + block.raw.length, 0)
  const lexer = new Lexer()
  for (const { token } of kept) if (token.type === 'def') define(lexer, token as Tokens.Def)
  const tokens = lexer.lex(text.slice(from))
  return { text, blocks: [...kept, ...tokens.map((token) => ({ raw: token.raw, token }))] }
}

/** Tells the target of links that an earlier block defines by name; the first definition counts. */
function define(lexer: Lexer, { tag, href, title }: Tokens.Def): void {
  lexer.tokens.links[tag] ??= { href, title }
}

/** How many blocks at the beginning can't change when the text grows. */
function stableCount(blocks: Block[]): number {
  let count = blocks.length
  while (count > 0 && blocks[count - 1]?.token.type === 'space') count -= 1
  return Math.max(0, count - 1)
}

/** Blocks by as many, where a part is the same array as before while its blocks are the same. */
export function chunksOf(blocks: Block[], size: number, previous: Block[][]): Block[][] {
  return Array.from({ length: Math.ceil(blocks.length / size) }, (_, index) => {
    const chunk = blocks.slice(index * size, (index + 1) * size)
    const before = previous[index]
    return before && before.length === chunk.length && chunk.every((block, at) => block === before[at]) ? before : chunk
  })
}
