/** The ways to send telemetry that the page explains. */
export const FRAMEWORKS = ['fastapi', 'flask', 'django', 'express', 'opentelemetry', 'http'] as const
export type Framework = (typeof FRAMEWORKS)[number]

export function frameworkOf(text: string | undefined | null): Framework | null {
  return FRAMEWORKS.find((each) => each === text) ?? null
}

export interface SnippetValues {
  /** Address of the server. */
  origin: string
  /** The ingest key, if it is known. */
  key: string | null
  /** The name under which the application reports. */
  service: string
}

export type SnippetName = 'install' | 'key' | 'settings' | 'start' | 'send' | 'python'

export interface Snippet {
  name: SnippetName
  code: string
}

const PYTHON_START = {
  fastapi: 'opentelemetry-instrument uvicorn shop:app',
  flask: 'opentelemetry-instrument flask --app shop run --no-reload',
  django: 'export DJANGO_SETTINGS_MODULE=shop.settings\nopentelemetry-instrument python manage.py runserver --noreload',
}

/** What to run, in this order, until the first record arrives. */
export function snippetsOf(framework: Framework, values: SnippetValues): Snippet[] {
  const key: Snippet = { name: 'key', code: `export INGEST_KEY=${values.key ?? '<ingest key>'}` }
  if (framework === 'http') return [key, { name: 'send', code: curl(values) }, { name: 'python', code: python(values) }]
  const settings: Snippet = { name: 'settings', code: openTelemetry(values) }
  if (framework === 'opentelemetry') return [key, settings]
  if (framework === 'express') {
    return [
      { name: 'install', code: 'npm install @opentelemetry/api @opentelemetry/auto-instrumentations-node' },
      key,
      settings,
      { name: 'start', code: 'export NODE_OPTIONS="--require @opentelemetry/auto-instrumentations-node/register"\nnode app.js' },
    ]
  }
  // The second command finds the instrumentations of all other libraries, such as database drivers.
  const install = `pip install opentelemetry-distro opentelemetry-exporter-otlp-proto-http opentelemetry-instrumentation-${framework}\nopentelemetry-bootstrap -a install`
  return [{ name: 'install', code: install }, key, settings, { name: 'start', code: PYTHON_START[framework] }]
}

function openTelemetry({ origin, service }: SnippetValues): string {
  return [
    `export OTEL_EXPORTER_OTLP_ENDPOINT=${origin}/otlp`,
    'export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf',
    'export OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20$INGEST_KEY"',
    `export OTEL_SERVICE_NAME=${service} OTEL_RESOURCE_ATTRIBUTES=service.version=1.0.0`,
    'export OTEL_LOGS_EXPORTER=none',
  ].join('\n')
}

function curl({ origin, service }: SnippetValues): string {
  return `NOW=$(date +%s)
curl ${origin}/api/v1/ingest/records \\
  -H "Authorization: Bearer $INGEST_KEY" -H "Content-Type: application/json" \\
  -d '{"service": "${service}", "version_info": {"app_version": "1.0.0"}, "records": [{
    "trace_id": "try-'$NOW'", "timestamp": '$NOW', "endpoint": "/users/{id}",
    "request_info": {"method": "GET", "path": "/users/7"}, "response_info": {"status_code": 200},
    "performance_metrics": {"total_duration": 0.213},
    "function_calls": [
      {"call_id": "c1", "function_name": "get_user", "module": "app.users", "start_offset": 0.001, "duration": 0.2},
      {"call_id": "c2", "parent_call_id": "c1", "function_name": "execute", "module": "database", "kind": "database",
       "start_offset": 0.002, "duration": 0.15, "detail": {"system": "postgresql", "statement": "SELECT * FROM users WHERE id = %s"}}
    ]}]}'`
}

function python({ origin, service }: SnippetValues): string {
  return `import json, os, time, urllib.request, uuid

began = time.time()
# … serve a request …
record = {
    "trace_id": uuid.uuid4().hex,
    "timestamp": began,
    "endpoint": "/users/{id}",
    "request_info": {"method": "GET", "path": "/users/7"},
    "response_info": {"status_code": 200},
    "performance_metrics": {"total_duration": time.time() - began},
}
body = {"service": "${service}", "version_info": {"app_version": "1.0.0"}, "records": [record]}
request = urllib.request.Request(
    "${origin}/api/v1/ingest/records",
    data=json.dumps(body).encode(),
    headers={"Authorization": "Bearer " + os.environ["INGEST_KEY"], "Content-Type": "application/json"},
)
print(urllib.request.urlopen(request).read().decode())`
}

/** A name of a project as the name of a service, which needs no quotes in a shell. */
export function serviceName(project: string | undefined): string {
  const name = (project ?? '').toLowerCase().replace(/[^a-z0-9._-]+/g, '-').replace(/^-+|-+$/g, '')
  return name || 'shop'
}
