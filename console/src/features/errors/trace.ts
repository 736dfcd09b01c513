/** A line of a stack trace. */
export interface TraceLine {
  text: string
  /** A place in the code, the code at that place, or anything else. */
  kind: 'frame' | 'code' | 'other'
  /** Whether it belongs to the application, not to a library. */
  isOwn: boolean
}

/** What a path or a name of a library contains, as the rules of the diagnosis see it, and the runtimes of other languages. */
const LIBRARY = /site-packages|dist-packages|[\\/]lib[\\/]python\d|<frozen |node_modules|\bnode:|\binternal[\\/]|[\\/]rustc[\\/]|\.cargo[\\/]registry|[\\/]usr[\\/](local[\\/])?(lib|go)[\\/]|[\\/]pkg[\\/]mod[\\/]|\b(javax?|jdk|sun|org\.springframework|kotlin|scala)\./

const PYTHON = /^\s*File "(.+)", line \d+/
/** JavaScript and Java: `at name (file:1:2)`, `at com.shop.Orders.load(Orders.java:41)`. */
const AT = /^\s*at\s+\S/
const GO = /^\s+\S+\.go:\d+/
const RUST = /^\s+at .+\.rs:\d+/

/** The lines of a stack trace, and which of them are the application's own. */
export function readTrace(text: string): TraceLine[] {
  const lines: TraceLine[] = []
  for (const line of text.trimEnd().split('\n')) {
    const isFrame = PYTHON.test(line) || AT.test(line) || GO.test(line) || RUST.test(line)
    const previous = lines.at(-1)
    if (isFrame) lines.push({ text: line, kind: 'frame', isOwn: !LIBRARY.test(line) })
    else if (previous && previous.kind !== 'other' && /^\s+\S/.test(line)) lines.push({ text: line, kind: 'code', isOwn: previous.isOwn })
    else lines.push({ text: line, kind: 'other', isOwn: false })
  }
  return lines
}

/** The message in a line, and the trace that some applications report below it. */
export function splitMessage(message: string): { message: string; trace: string } {
  const end = message.indexOf('\n')
  return end < 0 ? { message, trace: '' } : { message: message.slice(0, end), trace: message.slice(end + 1) }
}
