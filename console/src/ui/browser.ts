const BROWSERS: [name: string, pattern: RegExp][] = [
  ['Edge', /Edg\/(\d+)/],
  ['Opera', /OPR\/(\d+)/],
  ['Firefox', /Firefox\/(\d+)/],
  ['Chrome', /(?:Headless)?Chrome\/(\d+)/],
  ['Safari', /Version\/(\d+)[\d.]* (?:Mobile\/\w+ )?Safari/],
  ['curl', /^curl\/([\d.]+)/],
]
const SYSTEMS: [name: string, pattern: RegExp][] = [
  ['Android', /Android/],
  ['iOS', /iPhone|iPad/],
  ['Windows', /Windows/],
  ['macOS', /Mac OS X/],
  ['Linux', /Linux/],
]

/** The browser and system that a User-Agent names; the User-Agent itself where it names none that is known. */
export function browserOf(userAgent: string | null): string {
  if (!userAgent) return ''
  for (const [name, pattern] of BROWSERS) {
    const version = pattern.exec(userAgent)?.[1]
    if (!version) continue
    const system = SYSTEMS.find(([, each]) => each.test(userAgent))?.[0]
    return system ? `${name} ${version} · ${system}` : `${name} ${version}`
  }
  return userAgent
}
