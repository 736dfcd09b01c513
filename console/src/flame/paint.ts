import { type Layout, ROW_HEIGHT, type View, visit } from './layout'
import { type CallTree, type Kind, KINDS, labelOf } from './tree'

export interface Palette {
  foreground: string
  background: string
  focus: string
  /** A shade of each kind, in three strengths so that neighbours differ. */
  fills: Record<Kind, string[]>
  /** The same for what is searched or selected. */
  strong: Record<Kind, string>
}

/** The variable of each kind's colour. */
export const COLOUR_OF: Record<Kind, string> = {
  function: '--series-1',
  request: '--series-8',
  database: '--series-3',
  cache: '--series-6',
  external_api: '--series-2',
  model: '--series-4',
  tool: '--series-5',
  queue: '--series-7',
}
const STRENGTHS = [0.24, 0.31, 0.38]
const STRONG = 0.62

/** The colours of the current theme. */
export function paletteOf(style: CSSStyleDeclaration): Palette {
  const colour = (name: string) => style.getPropertyValue(name).trim()
  const surface = colour('--surface')
  const each = <T>(of: (kind: Kind) => T) => Object.fromEntries(KINDS.map((kind) => [kind, of(kind)])) as Record<Kind, T>
  return {
    foreground: colour('--foreground'),
    background: surface,
    focus: colour('--focus'),
    fills: each((kind) => STRENGTHS.map((strength) => mix(colour(COLOUR_OF[kind]), surface, strength))),
    strong: each((kind) => mix(colour(COLOUR_OF[kind]), surface, STRONG)),
  }
}

/** A colour between two of the form `#rrggbb` or, as minified, `#rgb`: that much of the first. */
export function mix(first: string, second: string, share: number): string {
  const part = (colour: string, at: number) => Number.parseInt(colour.length === 4 ? `${colour[at + 1]}${colour[at + 1]}` : colour.slice(1 + at * 2, 3 + at * 2), 16)
  const channels = [0, 1, 2].map((at) => Math.round(part(first, at) * share + part(second, at) * (1 - share)))
  return `rgb(${channels.join(' ')})`
}

export interface Marks {
  focused: number
  /** The pointer is on it. */
  hovered: number
  /** Chosen or found nodes; the others are faded if there are any. */
  marked: Uint8Array | null
}

const FONT_SIZE = 11
const PADDING = 4
const SMALLEST_LABEL = 24
const FADED = 0.35

/** Draws what is in view. */
export function paint(context: CanvasRenderingContext2D, tree: CallTree, layout: Layout, view: View, marks: Marks, palette: Palette, pixelRatio: number): void {
  context.setTransform(pixelRatio, 0, 0, pixelRatio, 0, 0)
  context.fillStyle = palette.background
  context.fillRect(0, 0, view.width, view.height)
  context.font = `${FONT_SIZE}px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace`
  context.textBaseline = 'middle'
  const letter = context.measureText('m').width
  const labels: [text: string, x: number, y: number][] = []
  visit(tree, layout, view, (index, x, y, width) => {
    const label = labelOf(tree, index)
    const isMarked = marks.marked?.[index] === 1
    context.globalAlpha = marks.marked && !isMarked ? FADED : 1
    context.fillStyle = isMarked ? palette.strong[label.kind] : (palette.fills[label.kind][(tree.label[index] as number) % STRENGTHS.length] as string)
    // A pixel stays free between neighbours where there is room for it.
    context.fillRect(x, y, width > 3 ? width - 1 : width, ROW_HEIGHT - 1)
    if (width < SMALLEST_LABEL) return
    const left = Math.max(x, 0)
    const letters = Math.floor((Math.min(x + width, view.width) - left - 2 * PADDING) / letter)
    const text = label.statement ?? label.short
    if (letters >= 3) labels.push([text.length > letters ? `${text.slice(0, letters - 1)}…` : text, left + PADDING, y + ROW_HEIGHT / 2])
  })
  context.globalAlpha = 1
  context.fillStyle = palette.foreground
  for (const [text, x, y] of labels) context.fillText(text, x, y)
  outline(context, tree, layout, view, marks.hovered, palette.foreground, 1)
  outline(context, tree, layout, view, marks.focused, palette.focus, 2)
}

function outline(context: CanvasRenderingContext2D, tree: CallTree, layout: Layout, view: View, index: number, colour: string, thickness: number): void {
  if (index < 0 || index >= tree.size) return
  const scale = view.width / (view.to - view.from || 1)
  const x = ((tree.start[index] as number) - view.from) * scale
  const width = Math.max((tree.width[index] as number) * scale, 3)
  context.strokeStyle = colour
  context.lineWidth = thickness
  const left = Math.max(x, 0) + thickness / 2
  const right = Math.min(x + width, view.width) - thickness / 2
  context.strokeRect(left, (layout.row[index] as number) * ROW_HEIGHT - view.top + thickness / 2, Math.max(right - left, 2), ROW_HEIGHT - 1 - thickness)
}
