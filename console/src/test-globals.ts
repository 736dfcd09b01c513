// What tests of logic need of a browser.
const stored = new Map<string, string>()

Object.assign(globalThis, {
  localStorage: {
    getItem: (name: string) => stored.get(name) ?? null,
    setItem: (name: string, value: string) => stored.set(name, value),
    removeItem: (name: string) => stored.delete(name),
  },
  document: { documentElement: { lang: '', dataset: {} } },
})
