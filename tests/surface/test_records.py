"""Request and error records: who requested what, what failed, and no secrets."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from support.api import Api, assert_error, eventually
from support.deployment import deploy

SECRET = "hunter2-that-nobody-may-see"
KEY = "/api/v1/system_config/records.api_logs"


@pytest.fixture
def mine(deployment, name) -> Api:
    """A tenant without earlier records."""
    return deployment.tenant(name("recorded"))


def logs(api: Api, **filters) -> list[dict]:
    return api.all("api_logs", **filters)


def so_many(api: Api, collection: str, count: int, **filters) -> list[dict]:
    """The rows of a list, once there are this many."""

    def whole() -> list[dict] | None:
        rows = api.all(collection, **filters)
        return rows if len(rows) == count else None

    return eventually(whole)


def test_unknown_paths_and_methods_are_recorded_under_the_tenant_of_the_key(mine):
    mine.call("GET", "/api/v1/nothing-here", 404)
    mine.call("DELETE", "/api/v1/projects", 405)
    rows = so_many(mine, "api_logs", 2)
    assert [(row["path"], row["status_code"]) for row in rows] == [("/api/v1/projects", 405), ("/api/v1/nothing-here", 404)]


def test_a_change_is_recorded_and_a_reading_is_not(mine):
    made = mine.call("POST", "/api/v1/projects", 201, json={"name": "a"}, headers={"user-agent": "tests/1"})
    mine.get("/api/v1/projects")
    missing = mine.call("GET", "/api/v1/projects/01890000-0000-7000-8000-000000000000", 404)
    rows = so_many(mine, "api_logs", 2)
    assert [(row["method"], row["status_code"]) for row in rows] == [("GET", 404), ("POST", 201)]
    row = rows[1]
    assert (row["path"], row["request_id"], row["user_agent"]) == (
        "/api/v1/projects",
        made.headers["x-request-id"],
        "tests/1",
    )
    assert row["response_bytes"] == len(made.content)
    assert row["latency_ms"] > 0
    assert row["ip_address"] == "127.0.0.1"
    assert [each["id"] for each in logs(mine, request_id=missing.headers["x-request-id"])] == [rows[0]["id"]]
    assert [each["id"] for each in logs(mine, min_status_code=400)] == [rows[0]["id"]]
    assert [each["id"] for each in logs(mine, method="post", path_prefix="/api/v1/pro")] == [row["id"]]
    assert logs(mine, path_prefix="/api/v2") == []
    assert logs(mine, created_before=rows[1]["created_at"]) == []
    shown = mine.get(f"/api/v1/api_logs/{row['id']}")
    assert shown["headers"]["authorization"] == "[redacted]"
    assert "body" not in shown


def test_bodies_are_kept_when_that_is_switched_on_and_never_with_a_secret(mine):
    mine.call("PUT", KEY, 200, json={"config_value": {"bodies": True}})
    body = {"username": "u", "email": "u@example.com", "password": SECRET}
    mine.call("POST", "/api/v1/users", 201, json=body, headers={"x-api-key": SECRET, "cookie": f"s={SECRET}"})
    key = mine.create("api_keys", {"name": "shown once", "scopes": ["gateway:call"]})["key"]
    rows = so_many(mine, "api_logs", 2, method="POST")
    users = mine.get(f"/api/v1/api_logs/{rows[1]['id']}")
    assert users["body"] == body | {"password": "[redacted]"}
    assert users["response_body"]["username"] == "u"
    keys = mine.get(f"/api/v1/api_logs/{rows[0]['id']}")
    assert keys["response_body"]["name"] == "shown once"
    assert SECRET not in str(users)
    assert key not in str(keys)


def test_a_stream_is_recorded_at_its_end_when_calls_are_sampled(gateway):
    api = gateway.api
    api.call("PUT", KEY, 200, json={"config_value": {"sampling": {"calls": 1}}})
    answer = api.chat("mock/gpt-4o", "hello", stream=True)
    request = answer.headers["x-request-id"]
    row = eventually(lambda: logs(api, request_id=request))[0]
    assert row["path"] == "/v1/chat/completions"
    assert row["response_bytes"] == len(answer.content)
    api.call("DELETE", KEY, 204)
    quiet = api.chat("mock/gpt-4o", "hello").headers["x-request-id"]
    eventually(lambda: api.get("/api/v1/llm_calls", request_id=quiet)["data"])
    assert logs(api, request_id=quiet) == []


def test_who_has_no_key_is_recorded_for_operators_alone(api, mine):
    refused = api.with_key("loam_nobody0000000000000000000000").call("POST", "/api/v1/projects", json={})
    request = refused.headers["x-request-id"]
    row = eventually(lambda: logs(api, instance=True, request_id=request))[0]
    assert row["status_code"] == 401
    assert logs(api, request_id=request) == []
    assert_error(mine.call("GET", "/api/v1/api_logs", params={"instance": True}), 403, "not_an_operator")
    assert api.get(f"/api/v1/api_logs/{row['id']}", instance=True)["headers"]["authorization"] == "[redacted]"
    assert_error(api.call("GET", f"/api/v1/api_logs/{row['id']}"), 404)


def test_a_provider_that_cannot_be_reached_is_its_tenants_error_and_counted(mine, name):
    config = {"base_url": "http://127.0.0.1:9/v1", "api_key": SECRET, "models": ["any"]}
    provider = mine.create("ai_providers", {"name": name("gone"), "kind": "openai", "config": config})["name"]
    answers = [mine.chat(f"{provider}/any", "hello", expect=None) for _ in range(3)]
    assert all(answer.status_code >= 500 for answer in answers)
    rows = so_many(mine, "error_logs", 3)
    assert {row["request_id"] for row in rows} == {answer.headers["x-request-id"] for answer in answers}
    assert rows[0]["error_type"] == answers[0].json()["error"]["code"]
    assert rows[0]["context"]["url.path"] == "/v1/chat/completions"
    groups = mine.all("error_groups")
    assert [group["count"] for group in groups] == [3]
    assert {row["fingerprint"] for row in rows} == {groups[0]["fingerprint"]}
    assert groups[0]["last_error_id"] == rows[0]["id"]
    assert mine.all("error_logs", fingerprint="none") == []
    assert SECRET not in str(rows) + str(groups)


def test_why_loam_itself_failed_is_shown_to_operators_alone():
    with deploy("sqlite") as deployment:
        mine = deployment.tenant("unlucky")
        with closing(sqlite3.connect(deployment.loam.data / "loam.db", timeout=10)) as connection, connection:
            connection.execute("ALTER TABLE projects RENAME TO lost")
        failed = mine.call("GET", "/api/v1/projects", 500)
        request = failed.headers["x-request-id"]
        own = eventually(lambda: mine.all("error_logs", request_id=request))[0]
        assert own["stack_trace"] is None
        assert "projects" not in own["error_message"]
        cause = eventually(lambda: deployment.api.all("error_logs", instance=True, request_id=request))[0]
        assert "projects" in cause["stack_trace"]
        assert cause["context"]["tenant_id"]
        assert_error(mine.call("GET", "/api/v1/error_groups", params={"instance": True}), 403)


def test_what_is_recorded_and_what_is_cached_is_counted(api, mine):
    mine.create("projects", {"name": "counted"})
    api.get("/api/v1/database")
    api.get("/api/v1/database")
    text = api.call("GET", "/metrics", 200).text
    assert 'loam_records_total{kind="api_logs"}' in text
    assert 'loam_cache_hits_total{cache="database_status"}' in text
