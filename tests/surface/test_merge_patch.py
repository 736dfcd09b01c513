"""`PATCH` of a field that is an object changes only what it names, on every resource."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from support.api import Api

OWN = {"a": 1, "nested": {"keep": 2, "drop": 3, "list": [1, 2]}}
CHANGE = {"nested": {"drop": None, "list": [3], "more": {"deep": True}}}
CHANGED = {"a": 1, "nested": {"keep": 2, "list": [3], "more": {"deep": True}}}


def made(api: Api, table: str) -> dict[str, Any]:
    """A resource with everything that a PATCH can change in part."""
    name = f"m-{secrets.token_hex(4)}"
    project = lambda: api.create("projects", {"name": f"p-{name}"})["id"]  # noqa: E731
    bodies = {
        "projects": lambda: {"name": name, "tech_stack": OWN, "timeline": OWN},
        "users": lambda: {"username": name, "email": f"{name}@example.com"},
        "ai_providers": lambda: {
            "name": name,
            "kind": "openai",
            "config": {"base_url": "http://127.0.0.1:9/v1", "api_key": "sk-aaaaaaaaaaaa1111"},
        },
        "model_routes": lambda: {"alias": name, "targets": [{"provider": provider(api), "model": "m"}]},
        "chat_sessions": lambda: {"title": name},
        "channels": lambda: {"name": name, "kind": "webhook", "settings": {"model": "m"}},
        "alert_rules": lambda: {"project_id": project(), "name": name, "metric": "error_rate", "threshold": 0.5},
    }
    return api.create(table, bodies[table]() | {"metadata": OWN})


def provider(api: Api) -> str:
    name = f"p-{secrets.token_hex(4)}"
    api.create("ai_providers", {"name": name, "kind": "openai", "config": {"base_url": "http://127.0.0.1:9/v1"}})
    return name


TABLES = ["projects", "users", "ai_providers", "model_routes", "chat_sessions", "channels", "alert_rules"]


@pytest.mark.parametrize("table", TABLES)
def test_metadata_is_changed_in_part(tenant: Api, table: str) -> None:
    path = f"/api/v1/{table}/{made(tenant, table)['id']}"
    fields = ["metadata"] + (["tech_stack", "timeline"] if table == "projects" else [])
    tenant.call("PATCH", path, 200, json=dict.fromkeys(fields, CHANGE))
    row = tenant.get(path)
    assert {field: row[field] for field in fields} == dict.fromkeys(fields, CHANGED)
    tenant.call("PATCH", path, 200, json={"metadata": {}})
    assert tenant.get(path)["metadata"] == CHANGED


def test_the_metadata_of_a_message(tenant: Api) -> None:
    session = made(tenant, "chat_sessions")["id"]
    message = tenant.create("messages", {"session_id": session, "role": "user", "content": "hi", "metadata": OWN})
    path = f"/api/v1/messages/{message['id']}"
    tenant.call("PATCH", path, 200, json={"metadata": CHANGE})
    assert tenant.get(path)["metadata"] == CHANGED
    too_large = {"metadata": {"large": "x" * 65_000}}
    assert tenant.call("PATCH", path, 200, json=too_large).json()["metadata"]["a"] == 1
    refused = tenant.call("PATCH", path, 400, json={"metadata": {"larger": "x" * 1000}}).json()["error"]
    assert refused["param"] == "metadata"


def test_settings_of_a_project_are_changed_in_part(tenant: Api) -> None:
    body = {"name": f"p-{secrets.token_hex(4)}", "config": {"sampling_rate": 0.5, "alert_threshold": {"error_rate": 0.2}}}
    path = f"/api/v1/projects/{tenant.create('projects', body)['id']}"
    change = {"config": {"alert_threshold": {"response_time": 3}}}
    config = tenant.call("PATCH", path, 200, json=change).json()["config"]
    threshold = {"response_time": 3.0, "error_rate": 0.2, "memory_usage": 512}
    assert config == {"sampling_rate": 0.5, "enabled": True, "auto_analysis": False, "alert_threshold": threshold}
    config = tenant.call("PATCH", path, 200, json={"config": {"sampling_rate": None}}).json()["config"]
    assert (config["sampling_rate"], config["alert_threshold"]) == (1.0, threshold), "null resets to the default"
    for wrong in ({"sampling_rate": 2}, {"sampling": 1}, {"alert_threshold": {"error_rate": "high"}}):
        error = tenant.call("PATCH", path, 400, json={"config": wrong}).json()["error"]
        assert error["param"].startswith("config"), error


def test_rules_of_a_route_are_changed_in_part(tenant: Api) -> None:
    path = f"/api/v1/model_routes/{made(tenant, 'model_routes')['id']}"
    tenant.call("PATCH", path, 200, json={"timeouts": {"total": 20, "idle": 5}, "retries": {"rounds": 1}})
    change = {"timeouts": {"idle": None, "connect": 2}, "retries": {"backoff": 1}, "cool_down": {"seconds": 9}}
    row = tenant.call("PATCH", path, 200, json=change).json()
    assert row["timeouts"] == {"total": 20.0, "connect": 2.0}
    assert row["retries"] == {"rounds": 1, "backoff": 1.0, "max_backoff": 8.0}
    assert row["cool_down"] == {"failures": 3, "seconds": 9.0}


def test_who_an_alert_reaches_is_changed_in_part_and_keeps_its_secret(tenant: Api) -> None:
    path = f"/api/v1/alert_rules/{made(tenant, 'alert_rules')['id']}"
    webhook = {"url": "http://127.0.0.1:9/a"}
    first = tenant.call("PATCH", path, 200, json={"delivery": {"webhook": webhook}, "selector": {"endpoint": "GET /a"}}).json()
    assert first["signing_secret"]
    changed = tenant.call("PATCH", path, 200, json={"delivery": {}, "selector": {"version": "1"}}).json()
    assert changed["delivery"] == {"webhook": webhook}
    assert changed["secret"] == first["secret"]
    assert changed["selector"] == {"endpoint": "GET /a", "version": "1"}
    changed = tenant.call("PATCH", path, 200, json={"delivery": {"webhook": None}, "selector": {"endpoint": None}}).json()
    assert (changed["delivery"], changed["secret"], changed["selector"]) == ({}, None, {"version": "1"})


def test_the_secrets_of_a_provider_stay(tenant: Api) -> None:
    row = made(tenant, "ai_providers")
    path = f"/api/v1/ai_providers/{row['id']}"
    assert row["config"]["api_key"] == {"sealed": True, "last4": "1111"}
    change = {"config": {"api_key": row["config"]["api_key"], "first_byte_timeout": 7}}
    changed = tenant.call("PATCH", path, None, json=change)
    assert changed.status_code == 200, changed.text
    assert changed.json()["config"]["api_key"] == {"sealed": True, "last4": "1111"}


def test_what_an_operator_keeps_of_a_tenant(deployment) -> None:
    api = deployment.api
    quotas = {"users": 3, "projects": 4}
    made = api.create("tenants", {"slug": f"t-{secrets.token_hex(4)}", "quotas": quotas, "settings": OWN, "metadata": OWN})
    path = f"/api/v1/tenants/{made['id']}"
    change = {"quotas": {"users": None, "api_keys": 5}, "settings": CHANGE, "metadata": CHANGE}
    row = api.call("PATCH", path, 200, json=change).json()
    assert [row[field] for field in ("settings", "metadata")] == [CHANGED] * 2
    assert row["quotas"] == {"projects": 4, "api_keys": 5}
