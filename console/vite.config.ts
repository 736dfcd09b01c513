import { readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import react from '@vitejs/plugin-react'
import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'

const server = process.env.LOAM_URL ?? 'http://127.0.0.1:8790'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
/** Smaller files don't gain from compression. */
const SMALLEST = 1024

/** Writes each file compressed beside it: the server embeds those. */
function compress(): Plugin {
  let folder = ''
  return {
    name: 'compress',
    apply: 'build',
    configResolved: ({ root, build }) => {
      folder = resolve(root, build.outDir)
    },
    closeBundle() {
      for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
        const file = join(entry.parentPath, entry.name)
        if (!entry.isFile() || /\.(br|gz)$/.test(file)) continue
        const bytes = readFileSync(file)
        if (bytes.length < SMALLEST) continue
        writeFileSync(`${file}.gz`, gzipSync(bytes, { level: 9 }))
        writeFileSync(`${file}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }))
      }
    },
  }
}

// The server shows the console below /console/ and embeds what is built to target/console.
export default defineConfig({
  base: '/console/',
  plugins: [react(), compress()],
  resolve: { alias: { '@': here('./src') } },
  cacheDir: here('../target/vite'),
  build: {
    outDir: here('../target/console'),
    emptyOutDir: true,
    // The Content-Security-Policy admits no `data:` scripts, styles or fonts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2023',
  },
  test: { setupFiles: ['./src/test-globals.ts'] },
  // `npm run dev` passes calls of the API on, as if the page came from the server itself.
  // Its packages may be a link into a folder that several clones share.
  server: {
    fs: { allow: [here('..'), realpathSync(here('./node_modules'))] },
    proxy: { '^/(api|v1|anthropic|otlp|openapi.json|docs)': { target: server, changeOrigin: false } },
  },
})
