"""A page in a real browser, of another origin than Loam's, uses Loam where it may, and reads nothing where it may not."""

from __future__ import annotations

import json

import pytest

from support.api import Api
from support.chromium import Site
from support.conversation import QUICK, Chat
from support.deployment import add_usual_providers

USE = """
const {url, key, model, stream} = %s;
const headers = {authorization: `Bearer ${key}`, "content-type": "application/json"};
const call = (method, path, body, more) =>
    fetch(url + path, {method, headers: {...headers, ...more}, body: body && JSON.stringify(body)});
const made = await call("POST", "/api/v1/chat_sessions", {title: "from a page"});
const session = await made.json();
const path = `/api/v1/chat_sessions/${session.id}`;
const changed = await call("PATCH", path, {title: "changed"}, {"if-match": made.headers.get("etag")});
const stale = await call("PATCH", path, {title: "late"}, {"if-match": made.headers.get("etag")});
const reader = (await call("POST", "/v1/chat/completions", {model, stream: true, messages: [{role: "user", content: "hi"}]}))
    .body.pipeThrough(new TextDecoderStream()).getReader();
let completion = "";
for (let part; !(part = await reader.read()).done;) completion += part.value;
const events = [];
await new Promise((done, failed) => {
    const source = new EventSource(url + stream);
    for (const kind of ["started", "delta", "message"]) source.addEventListener(kind, () => events.push(kind));
    source.addEventListener("ended", () => { source.close(); done(); });
    source.onerror = () => failed(new Error("the EventSource failed"));
});
return {
    statuses: [made.status, changed.status, stale.status], title: (await changed.json()).title, completion,
    error: (await stale.json()).error.code, events: [...new Set(events)],
};
"""

ATTEMPT = """
const {url, key} = %s;
const headers = {authorization: `Bearer ${key}`};
const attempt = (path, options) => fetch(url + path, options).then((answer) => answer.status, (error) => error.name);
return [
    await attempt("/api/v1/projects", {headers}),
    await attempt("/api/v1/projects", {}),
    await attempt("/api/v1/projects", {method: "POST", headers, body: '{"name": "from a page"}'}),
];
"""


CONFIG = "/api/v1/system_config/security.cors"


@pytest.fixture
def site():
    with Site() as site:
        yield site


def script(text: str, **values: str) -> str:
    return text % json.dumps(values)


def test_a_page_of_an_allowed_origin_uses_everything(deployment, mock, slow, site):
    add_usual_providers(deployment, mock, slow)
    api = deployment.api
    chat = Chat(api, QUICK)
    turn = chat.ask("hello")["id"]
    token = api.call("POST", "/api/v1/tokens", 201, json={"permissions": ["turns:read"], "expires_in": 60}).json()["token"]
    stream = f"{chat.turns}/{turn}/stream?access_token={token}"
    api.call("PUT", CONFIG, 200, json={"config_value": {"allowed_origins": [site.origin]}})
    try:
        told = site.run(script(USE, url=api.url, key=api.key, model=QUICK, stream=stream))
    finally:
        api.call("DELETE", CONFIG, 204)
    assert told["statuses"] == [201, 200, 412]
    assert (told["title"], told["error"]) == ("changed", "stale_version")
    assert told["completion"].rstrip().endswith("data: [DONE]")
    assert told["events"] == ["started", "delta", "message"]


def test_a_page_uses_the_key_that_is_for_its_origin(tenant: Api, name, site):
    def key_for(origin: str) -> str:
        new = {"name": name(), "scopes": ["projects:read", "projects:write"], "allowed_origins": [origin]}
        return tenant.create("api_keys", new)["key"]

    own, other = key_for(site.origin), key_for("https://app.example.com")
    assert site.run(script(ATTEMPT, url=tenant.url, key=own)) == [200, 401, 201]
    assert site.run(script(ATTEMPT, url=tenant.url, key=other)) == [403, 401, 403]
    assert len(tenant.all("projects")) == 1


def test_a_page_of_another_origin_reads_nothing(tenant: Api, site):
    assert site.run(script(ATTEMPT, url=tenant.url, key=tenant.key)) == ["TypeError"] * 3
    assert tenant.all("projects") == [], "nothing is written either: the browser asks first"
