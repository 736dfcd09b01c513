// Calls a server with the client that is generated from its document. Writes what it read as JSON.

import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type TurnEvent = components["schemas"]["TurnStreamEvent"];

declare const process: { argv: string[] };
const [baseUrl, username, password, model] = process.argv.slice(2) as [string, string, string, string];

// A log-in, and the session that follows it.
const stranger = createClient<paths>({ baseUrl });
const loggedIn = await stranger.POST("/api/v1/login", { body: { username, password } });
if (!loggedIn.data) throw new Error(loggedIn.error.error.message);
const cookie = loggedIn.response.headers.getSetCookie().map((each) => each.split(";")[0]).join("; ");
const headers = { cookie, "x-loam-csrf": loggedIn.data.csrf_token };
const loam = createClient<paths>({ baseUrl, headers });

// Three sessions, and all of them page by page.
const created: string[] = [];
for (const title of ["one", "two", "three"]) {
  const session = await loam.POST("/api/v1/chat_sessions", { body: { title, metadata: { nested: { n: 1 } } } });
  if (!session.data) throw new Error(session.error.error.message);
  created.push(session.data.id);
}
const listed: string[] = [];
let cursor: string | null = null;
do {
  const query: { limit: number; order: components["schemas"]["Order"]; cursor?: string } = { limit: 2, order: "asc" };
  if (cursor !== null) query.cursor = cursor;
  const page = await loam.GET("/api/v1/chat_sessions", { params: { query } });
  if (!page.data) throw new Error(page.error.error.message);
  listed.push(...page.data.data.map((session) => session.id));
  cursor = page.data.next_cursor;
} while (cursor !== null);

// A question as content parts, whose answer is read event by event.
const id = created[0] ?? "";
const asked = await loam.POST("/api/v1/chat_sessions/{id}/turns", {
  params: { path: { id } },
  body: { content: [{ type: "text", text: "Count to three." }], model, stream: true },
  parseAs: "stream",
});
if (asked.error) throw new Error(asked.error.error.message);
const names: TurnEvent["event"][] = [];
let text = "";
let tokens = 0;
for (const event of events(await new Response(asked.data as unknown as ReadableStream).text())) {
  names.push(event.event);
  switch (event.event) {
    case "delta":
      text += event.data.text;
      break;
    case "ended":
      tokens = event.data.usage.total_tokens;
      break;
    default:
      break;
  }
}
const messages = await loam.GET("/api/v1/messages", { params: { query: { session_id: id, order: "asc" } } });
const first = messages.data?.data[0]?.content;
const part = typeof first === "string" ? undefined : first?.[0];
const question = part?.type === "text" ? part.text : "";

// An error: its status and its body.
const missing = await loam.GET("/api/v1/chat_sessions/{id}", {
  params: { path: { id: "00000000-0000-0000-0000-000000000000" } },
});
const error = { status: missing.response.status, code: missing.error?.error.code };

console.log(JSON.stringify({ created, listed, names, text, tokens, question, error }));

function* events(stream: string): Generator<TurnEvent> {
  for (const block of stream.split("\n\n").filter((block) => block !== "")) {
    const fields = new Map(block.split("\n").map((line) => line.split(/: (.*)/s, 2) as [string, string]));
    yield { event: fields.get("event"), data: JSON.parse(fields.get("data") ?? "null") } as TurnEvent;
  }
}
