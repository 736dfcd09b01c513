"""Settings of a session."""

from __future__ import annotations

import pytest

from support.api import assert_error
from support.chat import configs, session


@pytest.fixture
def mine(tenant) -> str:
    return session(tenant)["id"]


def put(api, session_id: str, key: str, value, expect: int | None = 200, **options):
    return api.call("PUT", configs(session_id, key), expect, json={"value": value}, **options)


def test_a_setting_is_created_changed_listed_and_deleted(tenant, mine):
    made = put(tenant, mine, "temperature", 0.2).json()
    assert (made["session_id"], made["key"], made["value"]) == (mine, "temperature", 0.2)
    put(tenant, mine, "stop", ["END"])
    put(tenant, mine, "my.own", {"any": ["thing", 1]})
    changed = put(tenant, mine, "temperature", 0.9).json()
    assert (changed["id"], changed["value"]) == (made["id"], 0.9)
    listed = tenant.get(configs(mine))["data"]
    assert {row["key"]: row["value"] for row in listed} == {"temperature": 0.9, "stop": ["END"], "my.own": {"any": ["thing", 1]}}
    assert tenant.get(configs(mine, "temperature")) == changed
    tenant.call("DELETE", configs(mine, "temperature"), 204)
    assert_error(tenant.call("GET", configs(mine, "temperature")), 404)
    assert_error(tenant.call("DELETE", configs(mine, "temperature")), 404)
    rows = tenant.all("audit_logs", resource_type="session_configs")
    assert [row["action"] for row in rows] == ["delete", "set", "set", "set", "set"]


def test_an_invalid_value_is_rejected_with_its_field(tenant, mine):
    put(tenant, mine, "temperature", 1)
    for key, value, param in (
        ("temperature", 3, "value"),
        ("max_tokens", 0, "value"),
        ("context", {"overflow": "forget"}, "value.overflow"),
        ("context", {"tokens": 1}, "value.tokens"),
        ("stop", ["a", 1], "value"),
        ("own", None, "value"),
        ("own", "x" * 70_000, "value"),
        ("Not%20a%20key", 1, "key"),
    ):
        assert_error(put(tenant, mine, key, value, None), 400, param=param)
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    refused = assert_error(put(tenant, mine, "tools", tools, None), 400, param="key")
    assert "/tools" in refused["message"]
    assert [(row["key"], row["value"]) for row in tenant.get(configs(mine))["data"]] == [("temperature", 1)]


def test_conflicting_changes_of_a_setting_are_detected(tenant, mine):
    first = put(tenant, mine, "seed", 1, headers={"if-match": '"0"'})
    put(tenant, mine, "seed", 2, headers={"if-match": first.headers["etag"]})
    for tag in (first.headers["etag"], '"0"'):
        assert_error(put(tenant, mine, "seed", 3, None, headers={"if-match": tag}), 412, "stale_version")
    assert tenant.get(configs(mine, "seed"))["value"] == 2


def test_settings_of_an_archived_session_can_not_change(tenant, mine):
    put(tenant, mine, "seed", 1)
    tenant.call("PATCH", f"/api/v1/chat_sessions/{mine}", 200, json={"status": "archived"})
    assert_error(put(tenant, mine, "seed", 2, None), 409, "session_archived")
    assert_error(tenant.call("DELETE", configs(mine, "seed")), 409, "session_archived")
    assert tenant.get(configs(mine, "seed"))["value"] == 1


def test_a_session_has_at_most_a_hundred_settings(tenant, mine):
    for number in range(100):
        put(tenant, mine, f"key-{number}", number)
    assert_error(put(tenant, mine, "one-more", 1, None), 409, "too_many_settings")
    put(tenant, mine, "key-7", "changed")
