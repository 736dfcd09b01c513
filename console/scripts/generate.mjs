// Generates the types of the API from the OpenAPI document. They are part of each build, so they can't be stale.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const console_ = join(dirname(fileURLToPath(import.meta.url)), '..')
const document_ = join(console_, '../docs/openapi.json')
const folder = join(console_, 'src/api/generated')
mkdirSync(folder, { recursive: true })

const cli = createRequire(import.meta.url).resolve('openapi-typescript').replace(/dist.*/, 'bin/cli.js')
execFileSync(process.execPath, [cli, document_, '--output', join(folder, 'schema.d.ts')], { stdio: ['ignore', 'ignore', 'inherit'] })

const permissions = new Set()
for (const path of Object.values(JSON.parse(readFileSync(document_, 'utf8')).paths)) {
  for (const operation of Object.values(path)) {
    for (const security of operation.security ?? []) for (const permission of security.api_key ?? []) permissions.add(permission)
  }
}
const union = [...permissions].sort().map((permission) => `  | '${permission}'`).join('\n')
writeFileSync(join(folder, 'permissions.d.ts'), `/** The permissions that operations require. */\nexport type Permission =\n${union}\n`)
