"""Invalid input gets a clear 4xx in the common error format, names the field, and changes nothing."""

from __future__ import annotations

import base64
import json
import socket

import pytest

from support.api import assert_error
from support.deployment import deploy

CHAT = "/v1/chat/completions"


def raw(api, path: str, body: bytes):
    return api.call("POST", path, content=body, headers={"content-type": "application/json"})


@pytest.mark.parametrize("path", [CHAT, "/v1/embeddings", "/api/v1/projects"])
@pytest.mark.parametrize("body", [b"", b"{", b'{"model": }', b"[]", b"null", b'"text"', b'{"a":1} trailing', b"\xff\xfe"])
def test_malformed_json_is_refused(api, path, body):
    assert_error(raw(api, path, body), (400, 422))


@pytest.mark.parametrize("path", [CHAT, "/api/v1/projects"])
def test_invalid_utf8_inside_a_string_is_refused(gateway, path):
    body = b'{"model": "mock/gpt-4o", "name": "caf\xe9", "messages": [{"role": "user", "content": "caf\xe9"}]}'
    assert_error(raw(gateway.api, path, body), (400, 422))


def test_deeply_nested_json_does_not_hurt(gateway):
    deep = b"[" * 100_000 + b"]" * 100_000
    body = b'{"model": "mock/gpt-4o", "messages": [{"role": "user", "content": "hi"}], "x": ' + deep + b"}"
    answer = raw(gateway.api, CHAT, body)
    assert answer.status_code == 200 or assert_error(answer, (400, 422, 500, 502))
    gateway.api.call("GET", "/readyz", 200)


def test_a_body_over_the_limit_is_refused():
    with deploy("sqlite", env={"LOAM_MAX_BODY_BYTES": "1000000"}) as made:
        body = json.dumps({"model": "mock/gpt-4o", "messages": [{"role": "user", "content": "x" * 1_500_000}]}).encode()
        assert_error(raw(made.api, CHAT, body), 413)
        assert_error(raw(made.api, "/api/v1/projects", body), 413)
        assert made.api.get("/api/v1/llm_calls")["data"] == []


def test_the_usual_limit_is_20_megabytes(gateway):
    body = json.dumps({"model": "mock/gpt-4o", "messages": [{"role": "user", "content": "x" * 21_000_000}]}).encode()
    assert_error(raw(gateway.api, CHAT, body), 413)


@pytest.mark.parametrize("model", ["no-such-model", "nosuch/gpt-4o", "", "/", "mock/"])
@pytest.mark.parametrize("stream", [False, True])
def test_an_unknown_model_is_not_found(gateway, model, stream):
    answer = gateway.api.chat(model, "hello", expect=None, stream=stream)
    assert_error(answer, 404, "model_not_found", param="model")


@pytest.mark.parametrize("model", [None, 7, ["mock/gpt-4o"]])
def test_a_model_that_is_no_string_is_refused(gateway, model):
    assert_error(gateway.api.chat(model, "hello", expect=None), (400, 422), param="model")


def test_a_missing_model_is_refused(gateway):
    assert_error(gateway.api.call("POST", CHAT, json={"messages": []}), (400, 422), param="model")


def test_an_inactive_provider_is_not_asked(gateway, mock, name):
    api = gateway.api
    made = gateway.add_provider(name("resting"), mock.base_url, ["gpt-4o"])
    model = f"{made['name']}/gpt-4o"
    api.chat(model, "hello")
    api.call("PATCH", f"/api/v1/ai_providers/{made['id']}", 200, json={"is_active": False})
    asked = len(mock.requests())
    assert_error(api.chat(model, "hello", expect=None), (403, 404))
    assert len(mock.requests()) == asked
    assert model not in [each["id"] for each in api.get("/v1/models")["data"]]


@pytest.mark.parametrize(
    ("collection", "body", "field"),
    [
        ("projects", {"name": "nul\0byte"}, "name"),
        ("projects", {"name": "fine", "description": "nul\0byte"}, "description"),
        ("users", {"username": "nul\0", "email": "nul@example.com"}, "username"),
        ("projects", {"name": ""}, "name"),
        ("projects", {"name": "x" * 100_000}, "name"),
        ("projects", {"name": 7}, "name"),
        ("projects", {}, "name"),
        ("projects", {"name": "fine", "metadata": "not an object"}, "metadata"),
        ("users", {"username": "somebody", "email": "not an address"}, "email"),
        ("users", {"username": "somebody2", "email": "s2@example.com", "password": "short"}, "password"),
        ("users", {"username": "somebody3", "email": "s3@example.com", "roles": ["no-such-role"]}, "roles"),
        ("api_keys", {"name": "fine", "scopes": ["no:such:scope"]}, "scopes"),
        ("api_keys", {"name": "fine", "scopes": ["gateway:call"], "expires_at": "yesterday"}, "expires_at"),
        ("ai_providers", {"name": "fine", "kind": "no-such-kind", "config": {}}, "kind"),
        ("ai_providers", {"name": "fine", "kind": "openai", "config": []}, "config"),
        ("ai_providers", {"name": "fine", "kind": "openai", "config": {"base_url": "not an address"}}, "base_url"),
        ("ai_providers", {"name": "fine", "kind": "openai", "config": {"models": ["m", 7]}}, "config.models.1"),
        ("ai_providers", {"name": "fine", "kind": "openai", "config": {"base_url": "ftp://127.0.0.1/v1"}}, "base_url"),
        ("ai_providers", {"name": "fine", "kind": "openai", "config": {"base_url": 7}}, "base_url"),
        ("ai_providers", {"name": "fine", "kind": "openai", "config": {"base_url": "http://127.0.0.1:9/v1", "typo": 1}}, "typo"),
        ("model_prices", {"provider": "no-such", "model": "m", "input_per_million": 1, "output_per_million": 1}, "provider"),
        ("tenants", {"slug": "No Slug At All!", "name": "x"}, "slug"),
    ],
)
def test_a_bad_field_is_named_and_nothing_is_made(api, collection, body, field):
    before = len(api.all(collection))
    assert_error(api.call("POST", f"/api/v1/{collection}", json=body), (400, 404, 422), param=field)
    assert len(api.all(collection)) == before


def test_a_provider_without_an_address_is_openais_own(api, name):
    made = api.create("ai_providers", {"name": name("usual"), "kind": "openai", "config": {}})
    assert made["config"]["base_url"] == made["config_schema"]["properties"]["base_url"]["default"]


@pytest.mark.parametrize("path", [CHAT, "/v1/embeddings", "/api/v1/projects"])
def test_an_array_is_not_taken_for_the_fields_in_order(gateway, path):
    project, call = b'["mock/gpt-4o", null, null, null, {}, {}, {}, null, {}]', b'["mock/gpt-4o", false, null]'
    body = project if path.startswith("/api") else call
    assert_error(raw(gateway.api, path, body), (400, 422))


@pytest.mark.parametrize(
    ("method", "path", "key"),
    [("POST", CHAT, "loam_x"), ("POST", "/api/v1/projects", "loam_x"), ("POST", "/nothing", None), ("GET", "/v1/models", None)],
)
def test_a_connection_outlives_an_answer_that_came_before_its_request_had_ended(api, method, path, key):
    """Head and body in two packets, as many clients send them: the head alone is rejected, the body is read anyway."""
    host, port = api.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        head = f"{method} {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key or api.key}\r\ncontent-length: 2\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 ")
        connection.sendall(b"{}")
        connection.sendall(f"GET /healthz HTTP/1.1\r\nhost: {host}\r\n\r\n".encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_a_negative_price_is_refused(gateway):
    price = {"provider": "mock", "model": "gpt-4o", "input_per_million": -1, "output_per_million": 1}
    assert_error(gateway.api.call("POST", "/api/v1/model_prices", json=price), (400, 422), param="input_per_million")


def test_an_unknown_field_is_refused_rather_than_ignored(api):
    answer = api.call("POST", "/api/v1/projects", json={"name": "typo", "descripton": "misspelt"})
    assert_error(answer, (400, 422), param="descripton")


INSIDE = [
    "http://169.254.169.254/latest",
    "http://[fe80::1]/v1",
    "http://10.0.0.1/v1",
    "http://192.168.1.1/v1",
    "http://[::ffff:169.254.169.254]/v1",
    "http://[fd00::1]/v1",
    "http://0.0.0.0:9/v1",
]


@pytest.mark.parametrize("address", INSIDE)
def test_a_provider_on_a_private_or_metadata_address_is_refused_as_it_is_entered(api, mock, name, address):
    """Only stored, never called: if the guard were broken, a call would leave this machine."""
    body = {"name": name("inside"), "kind": "openai", "config": {"base_url": address, "models": ["m"]}}
    assert_error(api.call("POST", "/api/v1/ai_providers", json=body), (400, 403, 422), param="base_url")
    made = api.create("ai_providers", body | {"config": {"base_url": mock.base_url}})
    change = {"config": {"base_url": address}}
    assert_error(api.call("PATCH", f"/api/v1/ai_providers/{made['id']}", json=change), (400, 403, 422), param="base_url")


@pytest.mark.parametrize("limit", ["0", "-1", "201", "1000000000000000000000", "ten", "1.5", ""])
def test_an_absurd_limit_is_refused(api, limit):
    assert_error(api.call("GET", "/api/v1/projects", params={"limit": limit}), (400, 422), param="limit")


FORGED = ["x", "AAAA", "' OR 1=1 --", base64.urlsafe_b64encode(b'{"id":"0"}').decode(), "é", "0" * 5000, "\0"]


@pytest.mark.parametrize("cursor", FORGED, ids=range(len(FORGED)))
@pytest.mark.parametrize("collection", ["projects", "llm_calls", "audit_logs"])
def test_a_forged_cursor_is_refused(api, collection, cursor):
    assert_error(api.call("GET", f"/api/v1/{collection}", params={"cursor": cursor}), (400, 422), param="cursor")


def test_a_cursor_that_was_changed_opens_nothing_but_ones_own_rows(tenant, name):
    """A slightly changed cursor may be a valid position, but only in this tenant's list."""
    mine = {tenant.create("projects", {"name": name("cursor")})["id"] for _ in range(2)}
    cursor = tenant.get("/api/v1/projects", limit=1)["next_cursor"]
    for place in range(0, len(cursor), 4):
        changed = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
        answer = tenant.call("GET", "/api/v1/projects", params={"cursor": changed})
        if answer.is_success:
            assert {row["id"] for row in answer.json()["data"]} <= mine
        else:
            assert_error(answer, (400, 422), param="cursor")


@pytest.mark.parametrize("query", [{"state": "no-such-state"}, {"created_after": "yesterday"}, {"no_such_filter": "x"}])
def test_a_bad_filter_is_refused_rather_than_ignored(api, query):
    assert_error(api.call("GET", "/api/v1/llm_calls", params=query), (400, 422), param=next(iter(query)))


def test_a_duplicate_name_is_a_conflict(gateway, name):
    api = gateway.api
    user = {"username": name("twin"), "email": f"{name('twin')}@example.com"}
    api.create("users", user)
    assert_error(api.call("POST", "/api/v1/users", json=user | {"email": "other@example.com"}), 409, param="username")
    assert_error(api.call("POST", "/api/v1/users", json=user | {"username": name("other")}), 409, param="email")
    config = {"base_url": "http://127.0.0.1:9/v1"}
    again = {"name": "mock", "kind": "openai", "config": config}
    assert_error(api.call("POST", "/api/v1/ai_providers", json=again), 409, param="name")
    assert_error(api.call("POST", "/api/v1/tenants", json={"slug": "default", "name": "x"}), 409, param="slug")


def test_a_nul_byte_in_a_prompt_is_kept_as_it_is(gateway):
    """JSON allows it, PostgreSQL's jsonb does not: the call still succeeds and is recorded."""
    answer = gateway.api.chat("mock/gpt-4o", "before\0after")
    row = gateway.api.get(f"/api/v1/llm_calls/{answer.headers['x-loam-call-id']}")
    assert row["state"] == "settled"
    assert row["request_data"]["messages"][0]["content"] == "before\0after"


@pytest.mark.parametrize("value", ["x" * 10_000, "new\u00e9", "a b", "<script>"])
def test_an_odd_request_id_never_breaks_a_call(gateway, value):
    """It is echoed if harmless, and replaced otherwise."""
    answer = gateway.api.chat("mock/gpt-4o", "hello", expect=None, headers={"x-request-id": value.encode("latin-1")})
    assert answer.status_code in (200, 400, 431)
