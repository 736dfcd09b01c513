import { createElement } from 'react'
import { renderToStaticMarkup } from 'react-dom/server'
import { describe, expect, it, vi } from 'vitest'
import { chunksOf, parseBlocks, type Parsed } from './blocks'
import { highlight } from './highlight'
import { decodeEntities, safeImage, safeLink } from './safe'

vi.mock('./CopyCode', () => ({ CopyCode: () => null }))
const { Markdown } = await import('./Markdown')

const draw = (text: string) => renderToStaticMarkup(createElement(Markdown, { text }))

describe('links', () => {
  it.each(['http://a.example/', 'https://a.example/b?c=d', 'mailto:a@b.example'])('may be followed: %s', (href) => {
    expect(safeLink(href)).toBe(href)
  })
  it.each(['javascript:alert(1)', ' jAvAsCrIpT:alert(1)', 'java\nscript:alert(1)', '\u0001javascript:alert(1)', 'data:text/html,<script>alert(1)</script>', 'vbscript:x', 'file:///etc/passwd', 'blob:https://a/b', '/console', '#x', '//a.example'])('may not be followed: %s', (href) => {
    expect(safeLink(href)).toBeNull()
  })
  it('open in a page that knows nothing of this one', () => {
    expect(draw('[a](https://a.example)')).toContain('<a href="https://a.example/" target="_blank" rel="noopener noreferrer nofollow">a</a>')
  })
})

describe('what could run is text', () => {
  it.each([
    '<script>alert(1)</script>',
    'a <img src=x onerror=alert(1)> b',
    '<b onclick="alert(1)">x</b>',
    '- <svg onload=alert(1)>',
    '> <iframe src="javascript:alert(1)"></iframe>',
    '| a |\n|---|\n| <img src=x onerror=alert(1)> |',
    '[x](javascript:alert(1))',
    '[x](&#106;avascript:alert(1))',
    '[x](data:text/html;base64,PHNjcmlwdD4=)',
    '<javascript:alert(1)>',
    '![x](javascript:alert(1))',
    '[a][b]\n\n[b]: javascript:alert(1)',
    '**<script>alert(1)</script>**',
    '# <script>alert(1)</script>',
    '[<img src=x onerror=alert(1)>](https://a.example)',
    '<style>body{display:none}</style>',
    '```html\n<script>alert(1)</script>\n```',
    '`<script>alert(1)</script>`',
    '&lt;script&gt;alert(1)&lt;/script&gt;',
  ])('%s', (text) => {
    const html = draw(text)
    expect(html).not.toMatch(/<(script|img|svg|iframe|style|b)\b/)
    expect(html).not.toMatch(/<[^>]*\son\w+=/)
    expect(html).not.toMatch(/href="(?!https:\/\/a\.example\/")/)
  })
  it('shows images only from within the text', () => {
    expect(draw('![soil](https://a.example/x.png)')).toContain('<a href="https://a.example/x.png"')
    expect(draw('![soil](data:image/png;base64,AAAA)')).toContain('<img src="data:image/png;base64,AAAA" alt="soil"/>')
    expect(safeImage('data:image/svg+xml;base64,AAAA')).toBeNull()
    expect(safeImage('data:text/html;base64,AAAA')).toBeNull()
  })
  it('decodes character references once', () => {
    expect(decodeEntities('&lt;b&gt; &amp;lt; &#39; &#x4e2d; &nosuch;')).toBe("<b> &lt; ' 中 &nosuch;")
  })
})

describe('what it draws', () => {
  it('draws tables, tasks, lists and autolinks', () => {
    expect(draw('| a | b |\n|---|--:|\n| 1 | 2 |')).toContain('<td>1</td>')
    expect(draw('- [x] done')).toMatch(/<input type="checkbox"[^>]*checked=""/)
    expect(draw('3. c\n4. d')).toContain('<ol start="3">')
    expect(draw('see https://a.example/b.')).toContain('<a href="https://a.example/b"')
    expect(draw('a < b && c')).toContain('a &lt; b &amp;&amp; c')
  })
})

const TEXT = `# Title

A paragraph with **bold**,
over two lines.

- one

  with more
- two
  1. nested

    code after

\`\`\`python
def f():

    return 1
\`\`\`
Setext
======

| a | b |
|---|---|
| 1 | 2 |

> quote
lazy

[x]: https://a.example

[x] and <b>html</b>

***
end`

describe('a growing text', () => {
  const plain = (parsed: Parsed) => parsed.blocks.map(({ token }) => token)

  it('has the blocks of the whole text after every step', () => {
    for (const step of [1, 3, 17]) {
      let parsed: Parsed | undefined
      for (let end = step; end < TEXT.length + step; end += step) {
        const text = TEXT.slice(0, end)
        parsed = parseBlocks(text, parsed)
        expect(plain(parsed)).toEqual(plain(parseBlocks(text)))
      }
      expect(parsed?.blocks.map(({ raw }) => raw).join('')).toBe(TEXT)
    }
  })
  it('keeps the blocks that are whole', () => {
    const before = parseBlocks('one\n\ntwo\n\nthr')
    const after = parseBlocks('one\n\ntwo\n\nthree', before)
    expect(after.blocks[0]).toBe(before.blocks[0])
    expect(after.blocks[2]).toBe(before.blocks[2])
    expect(after.blocks.at(-1)?.raw).toBe('three')
  })
  it('keeps the chunks whose blocks are the same', () => {
    const parsed = parseBlocks('a\n\nb\n\nc')
    const before = chunksOf(parsed.blocks, 2, [])
    const after = chunksOf(parseBlocks('a\n\nb\n\nc\n\nd', parsed).blocks, 2, before)
    expect(after.map((chunk, index) => chunk === before[index])).toEqual([true, true, false, false])
  })
  it('begins anew with another text', () => {
    expect(parseBlocks('other', parseBlocks('one\n\ntwo')).blocks.map(({ raw }) => raw)).toEqual(['other'])
  })
})

describe('highlighting', () => {
  it.each([
    ['python', 'def f(x):\n    """doc"""\n    return "a" * 2  # twice'],
    ['ts', 'const a = `b${c}` // d\n/* e */ f(1.5)'],
    ['sql', "SELECT count(*) FROM t WHERE a = 'it''s' -- end"],
    ['json', '{"a": "b", "c": [1, true]}'],
    ['html', '<a href="b">c</a><!-- d -->'],
  ])('loses nothing of %s', (language, code) => {
    expect(highlight(code, language)?.map(({ text }) => text).join('')).toBe(code)
  })
  it('tells keywords, strings, comments and numbers', () => {
    const kinds = Object.fromEntries((highlight('return "a" + 2 # b', 'python') ?? []).map(({ text, kind }) => [text, kind]))
    expect(kinds).toMatchObject({ return: 'keyword', '"a"': 'string', 2: 'number', '# b': 'comment' })
  })
  it('leaves unknown languages alone', () => {
    expect(highlight('x', 'brainfuck')).toBeNull()
  })
})
