"""API keys: wrong, expired, revoked and without permission; and the keys of a suspended tenant."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from support.api import assert_error, eventually

# A revocation takes effect within a second; this leaves a margin for slow machines.
SOON = 1.5


def key_with(api, *scopes: str, **fields) -> dict:
    return api.create("api_keys", {"name": f"key-{time.monotonic_ns()}", "scopes": list(scopes)} | fields)


@pytest.mark.parametrize("header", ["Bearer", "Bearer x", "Basic bG9hbTpsb2Ft", "loam_x", "Bearer loam_", "Bearer \xe9"])
@pytest.mark.parametrize("path", ["/api/v1/projects", "/v1/models"])
def test_a_header_that_is_no_key_is_refused(api, path, header):
    answer = api.with_key(None).call("GET", path, headers={"authorization": header.encode("latin-1")})
    assert_error(answer, 401)


def test_a_key_with_one_wrong_character_is_refused(api):
    wrong = api.key[:-1] + ("a" if api.key[-1] != "a" else "b")
    assert_error(api.with_key(wrong).call("GET", "/api/v1/projects"), 401)


def test_a_new_key_is_shown_once_and_works(api):
    made = key_with(api, "*")
    assert made["key"].startswith("loam_")
    assert made["key"].startswith(made["prefix"]) or made["prefix"] in made["key"]
    assert "key" not in api.get(f"/api/v1/api_keys/{made['id']}")
    assert made["key"] not in str(api.all("api_keys"))
    api.with_key(made["key"]).get("/api/v1/projects")


def test_an_expired_key_is_refused(api):
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat().replace("+00:00", "Z")
    mine = api.with_key(key_with(api, "*", expires_at=soon)["key"])
    mine.get("/api/v1/projects")
    time.sleep(1.1)
    assert_error(mine.call("GET", "/api/v1/projects"), 401)
    assert_error(mine.call("GET", "/v1/models"), 401)


def test_a_revoked_key_is_refused_within_a_second_and_stays_listed(gateway):
    api = gateway.api
    made = key_with(api, "*")
    mine = api.with_key(made["key"])
    # Used first, on both APIs, so that it is in every cache.
    mine.chat("mock/gpt-4o", "hello")
    mine.get("/api/v1/projects")
    api.call("DELETE", f"/api/v1/api_keys/{made['id']}", 204)
    revoked = time.monotonic()
    eventually(lambda: mine.call("GET", "/v1/models").status_code == 401, SOON)
    eventually(lambda: mine.chat("mock/gpt-4o", "hello", expect=None).status_code == 401, SOON)
    assert time.monotonic() - revoked < SOON
    assert_error(mine.call("GET", "/api/v1/projects"), 401)
    listed = {row["id"]: row for row in api.all("api_keys")}
    assert listed[made["id"]]["revoked_at"]


def test_a_key_revoked_on_the_command_line_is_refused_by_the_running_server(deployment):
    made = key_with(deployment.api, "*")
    mine = deployment.api.with_key(made["key"])
    mine.get("/v1/models")
    deployment.loam.cli("key", "revoke", made["id"])
    eventually(lambda: mine.call("GET", "/v1/models").status_code == 401, SOON)


def test_a_scope_opens_what_it_names_and_nothing_else(gateway):
    api = gateway.api
    gateway_only = api.with_key(key_with(api, "gateway:call")["key"])
    gateway_only.chat("mock/gpt-4o", "hello")
    for collection in ("projects", "users", "api_keys", "ai_providers", "llm_calls", "audit_logs", "jobs"):
        error = assert_error(gateway_only.call("GET", f"/api/v1/{collection}"), 403)
        assert f"{collection}:read" in error["message"], error
    reader = api.with_key(key_with(api, "projects:read")["key"])
    reader.get("/api/v1/projects")
    assert_error(reader.call("POST", "/api/v1/projects", json={"name": "no"}), 403)
    assert_error(reader.chat("mock/gpt-4o", "hello", expect=None), 403)


def test_a_key_cannot_make_a_key_that_may_more(api):
    maker = api.with_key(key_with(api, "api_keys:write", "projects:read")["key"])
    assert_error(maker.call("POST", "/api/v1/api_keys", json={"name": "more", "scopes": ["*"]}), 403)
    assert_error(maker.call("POST", "/api/v1/api_keys", json={"name": "more", "scopes": ["users:write"]}), 403)
    key_with(maker, "projects:read")


def test_a_suspended_tenant_reads_and_its_calls_answer_403(gateway, name):
    made = gateway.api.create("tenants", {"slug": name("suspended"), "name": "Suspended"})
    mine = gateway.api.with_key(made["api_key"]["key"])
    mine.create("projects", {"name": "before"})
    mine.create("ai_providers", {"name": "p", "kind": "openai", "config": {"base_url": "http://127.0.0.1:9/v1", "models": ["m"]}})
    gateway.api.call("PATCH", f"/api/v1/tenants/{made['id']}", 200, json={"status": "suspended"})
    eventually(lambda: mine.call("POST", "/api/v1/projects", json={"name": "after"}).status_code == 403, SOON)
    assert_error(mine.chat("p/m", "hello", expect=None), 403)
    assert mine.get("/api/v1/projects")["data"]


def test_changes_are_audited_with_who_made_them(tenant):
    project = tenant.create("projects", {"name": "audited"})
    tenant.call("PATCH", f"/api/v1/projects/{project['id']}", 200, json={"description": "changed"})
    rows = [row for row in tenant.all("audit_logs") if project["id"] in str(row)]
    assert len(rows) == 2, rows
