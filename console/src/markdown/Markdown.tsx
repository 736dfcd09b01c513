import type { Token, Tokens } from 'marked'
import { Fragment, memo, type ReactNode, useRef } from 'react'
import { type Block, chunksOf, type Parsed, parseBlocks } from './blocks'
import { classes } from '@/ui/classes'
import { Code } from './Code'
import styles from './Markdown.module.css'
import { decodeEntities, safeImage, safeLink } from './safe'
import { useStaged } from './useStaged'

interface MarkdownProps {
  text: string
  /** More text will follow: the last block isn't whole yet. */
  isGrowing?: boolean
}

/** Blocks are compared and laid out by as many: a long text that grows costs as much as its end. */
const CHUNK = 24
const NONE: Block[] = []

/** A text in Markdown as elements. HTML in it is shown as it is written. */
export const Markdown = memo(function Markdown({ text, isGrowing = false }: MarkdownProps) {
  const parsed = useRef<Parsed>(undefined)
  const chunks = useRef<Block[][]>([])
  parsed.current = parseBlocks(text, parsed.current)
  chunks.current = chunksOf(parsed.current.blocks, CHUNK, chunks.current)
  const last = chunks.current.length - 1
  const shown = useStaged(last + 1, isGrowing)
  return (
    <div className={styles.markdown}>
      {chunks.current.map((blocks, index) => (
        <Chunk key={index} blocks={index > last - shown ? blocks : NONE} isOpen={isGrowing && index === last} isLong={last > 0} />
      ))}
    </div>
  )
})

/** Consecutive blocks. Those of a long text that are out of sight are neither laid out nor painted. */
const Chunk = memo(function Chunk({ blocks, isOpen, isLong }: { blocks: Block[]; isOpen: boolean; isLong: boolean }) {
  return (
    <div className={classes(styles.chunk, isLong && styles.skipped)}>
      {blocks.map((block, index) => (
        <BlockView key={index} block={block} isOpen={isOpen && index === blocks.length - 1} />
      ))}
    </div>
  )
})

/** A block, drawn again only when its text has changed. */
const BlockView = memo(
  function BlockView({ block, isOpen }: { block: Block; isOpen: boolean }) {
    return drawBlock(block.token, isOpen)
  },
  (before, after) => before.block.raw === after.block.raw && before.isOpen === after.isOpen,
)

function drawBlocks(tokens: Token[], isOpen: boolean): ReactNode {
  return tokens.map((token, index) => <Fragment key={index}>{drawBlock(token, isOpen && index === tokens.length - 1)}</Fragment>)
}

function drawBlock(token: Token, isOpen: boolean): ReactNode {
  switch (token.type) {
    case 'space':
    case 'def':
      return null
    case 'heading': {
      const heading = token as Tokens.Heading
      // The page's own headings are above those of a message.
      const Tag = `h${Math.min(6, heading.depth + 2)}` as 'h3'
      return <Tag className={heading.depth === 1 ? styles.first : heading.depth === 2 ? styles.second : styles.third}>{drawInline(heading.tokens)}</Tag>
    }
    case 'paragraph':
      return <p>{drawInline((token as Tokens.Paragraph).tokens)}</p>
    case 'code': {
      const code = token as Tokens.Code
      return <Code code={code.text} language={code.lang?.split(/\s/)[0]} isOpen={isOpen} />
    }
    case 'blockquote':
      return <blockquote>{drawBlocks((token as Tokens.Blockquote).tokens, isOpen)}</blockquote>
    case 'list':
      return drawList(token as Tokens.List, isOpen)
    case 'table':
      return drawTable(token as Tokens.Table)
    case 'hr':
      return <hr />
    case 'html':
      return <pre className={styles.html}>{(token as Tokens.HTML).raw.trimEnd()}</pre>
    default:
      return drawInline([token])
  }
}

function drawList(list: Tokens.List, isOpen: boolean): ReactNode {
  const items = list.items.map((item, index) => <Item key={index} item={item} isOpen={isOpen && index === list.items.length - 1} />)
  return list.ordered ? <ol start={list.start === '' ? undefined : list.start}>{items}</ol> : <ul>{items}</ul>
}

const Item = memo(
  function Item({ item, isOpen }: { item: Tokens.ListItem; isOpen: boolean }) {
    return <li className={item.task ? styles.task : undefined}>{drawBlocks(item.tokens, isOpen)}</li>
  },
  (before, after) => before.item.raw === after.item.raw && before.item.loose === after.item.loose && before.isOpen === after.isOpen,
)

function drawTable(table: Tokens.Table): ReactNode {
  return (
    <div className={styles.table} tabIndex={0} role="group">
      <table>
        <thead>
          <tr>
            {table.header.map((cell, index) => (
              <th key={index} scope="col" className={cell.align ? styles[cell.align] : undefined}>
                {drawInline(cell.tokens)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.map((row, index) => (
            <tr key={index}>
              {row.map((cell, column) => (
                <td key={column} className={cell.align ? styles[cell.align] : undefined}>
                  {drawInline(cell.tokens)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function drawInline(tokens: Token[] | undefined): ReactNode {
  return tokens?.map((token, index) => <Fragment key={index}>{drawSpan(token)}</Fragment>)
}

function drawSpan(token: Token): ReactNode {
  switch (token.type) {
    case 'text': {
      const { tokens, text } = token as Tokens.Text
      return tokens ? drawInline(tokens) : decodeEntities(text)
    }
    case 'escape':
      return (token as Tokens.Escape).text
    case 'strong':
      return <strong>{drawInline(token.tokens)}</strong>
    case 'em':
      return <em>{drawInline(token.tokens)}</em>
    case 'del':
      return <del>{drawInline(token.tokens)}</del>
    case 'codespan':
      return <code>{(token as Tokens.Codespan).text}</code>
    case 'br':
      return <br />
    case 'checkbox':
      return <input type="checkbox" checked={(token as Tokens.Checkbox).checked} disabled readOnly aria-label={(token as Tokens.Checkbox).checked ? '✓' : '☐'} />
    case 'link': {
      const link = token as Tokens.Link
      return <LinkView href={decodeEntities(link.href)} raw={link.raw}>{drawInline(link.tokens)}</LinkView>
    }
    case 'image': {
      const image = token as Tokens.Image
      const source = safeImage(image.href)
      return source ? <img src={source} alt={image.text} /> : <LinkView href={decodeEntities(image.href)} raw={image.raw}>{image.text || image.href}</LinkView>
    }
    case 'paragraph':
      return drawInline(token.tokens)
    default:
      return token.raw
  }
}

/** A link, or what was written where it may not be followed. */
function LinkView({ href, raw, children }: { href: string; raw: string; children: ReactNode }) {
  const safe = safeLink(href)
  if (!safe) return raw
  return (
    <a href={safe} target="_blank" rel="noopener noreferrer nofollow">
      {children}
    </a>
  )
}
