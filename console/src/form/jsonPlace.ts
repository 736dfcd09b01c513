/** Where a value stands in a JSON text: offsets from its start, and its line from 1. */
export interface Place {
  start: number
  end: number
  line: number
}

/** The steps of a path: `function_calls[0].name` is `function_calls`, 0, `name`. */
export function stepsOf(path: string): (string | number)[] {
  return [...path.matchAll(/\[(\d+)\]|([^.[\]]+)/g)].map(([, index, key]) => (index !== undefined ? Number(index) : (key as string)))
}

/** Where the value at a path stands. Of a path that leads too far, the last part that is there. */
export function placeOf(text: string, path: string): Place | null {
  const reader = new Reader(text)
  try {
    return reader.find(stepsOf(path))
  } catch {
    return null
  }
}

/** The line of an offset, from 1. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length
}

/** Why a text isn't JSON, and where; null if it is. */
export function syntaxError(text: string): { message: string; line: number } | null {
  try {
    JSON.parse(text)
    return null
  } catch (error) {
    const message = (error as Error).message
    const position = /position (\d+)/.exec(message)?.[1]
    return { message: message.replace(/ in JSON at position.*| \(line.*/, ''), line: lineAt(text, position === undefined ? text.length : Number(position)) }
  }
}

/** Walks over JSON just far enough to find a value. */
class Reader {
  private at = 0
  constructor(private readonly text: string) {}

  find(steps: (string | number)[]): Place {
    this.space()
    let start = this.at
    for (const step of steps) {
      const inner = this.enter(step)
      if (inner === null) break
      start = inner
      this.at = inner
    }
    this.at = start
    this.skip()
    return { start, end: this.at, line: lineAt(this.text, start) }
  }

  /** The start of a field or an item of the value here. */
  private enter(step: string | number): number | null {
    const open = this.text[this.at]
    if (open !== (typeof step === 'number' ? '[' : '{')) return null
    this.at += 1
    for (let index = 0; ; index += 1) {
      this.space()
      if (this.text[this.at] === ']' || this.text[this.at] === '}') return null
      let key: unknown = index
      if (open === '{') {
        const from = this.at
        this.skip()
        key = JSON.parse(this.text.slice(from, this.at))
        this.expect(':')
      }
      this.space()
      if (key === step) return this.at
      this.skip()
      this.space()
      if (this.text[this.at] === ',') this.at += 1
    }
  }

  /** Goes over the value here. */
  private skip(): void {
    const first = this.text[this.at]
    if (first === '"') {
      this.at += 1
      while (this.text[this.at] !== '"') {
        if (this.at >= this.text.length) throw new Error('the text ends within a string')
        this.at += this.text[this.at] === '\\' ? 2 : 1
      }
      this.at += 1
    } else if (first === '{' || first === '[') {
      this.at += 1
      for (this.space(); this.text[this.at] !== '}' && this.text[this.at] !== ']'; this.space()) {
        if (this.at >= this.text.length) throw new Error('the text ends within a value')
        if (this.text[this.at] === ',' || this.text[this.at] === ':') this.at += 1
        else this.skip()
      }
      this.at += 1
    } else {
      const length = /^[^\s,:{}[\]"]+/.exec(this.text.slice(this.at))?.[0].length
      if (!length) throw new Error('no value here')
      this.at += length
    }
  }

  private expect(mark: string): void {
    this.space()
    if (this.text[this.at] !== mark) throw new Error(`no ${mark} here`)
    this.at += 1
  }

  private space(): void {
    while (/\s/.test(this.text[this.at] ?? '')) this.at += 1
  }
}
