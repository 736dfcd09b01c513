"""Recorded requests and changes contain no secrets, whatever their names and positions."""

from __future__ import annotations

import pytest

from support.api import Api, eventually

SECRET = "hunter2-in-plain-sight"
SETTINGS = "/api/v1/system_config/records.api_logs"
HOOK = "https://hooks.example.com/services/T0123456789/B0123456789/a1b2c3d4e5f6a7b8c9d0"
HEADERS = ["x-loam-csrf", "x-auth-key", "x-session", "x-session-id", "x-amz-security-token", "x-some-key", "cookie"]
COUNTS = {
    "max_tokens": 17,
    "input_tokens": "18",
    "cache_read_tokens": 19,
    "session_id": "a-conversation",
    "session.id": "another",
}


@pytest.fixture
def recorded(tenant: Api) -> Api:
    """A tenant of which everything is recorded."""
    tenant.call("PUT", SETTINGS, 200, json={"config_value": {"bodies": True}})
    return tenant


def record(api: Api, path: str) -> dict:
    """The last request below a path, with what is on record of it."""
    row = eventually(lambda: api.all("api_logs", path_prefix=path))[0]
    return api.get(f"/api/v1/api_logs/{row['id']}")


def test_no_secret_of_a_header_is_recorded(recorded, name):
    headers = dict.fromkeys(HEADERS, SECRET) | {"x-request-tokens": "12"}
    recorded.call("POST", "/api/v1/projects", 201, json={"name": name("shop")}, headers=headers)
    shown = record(recorded, "/api/v1/projects")
    assert SECRET not in str(shown)
    assert {name: shown["headers"][name] for name in HEADERS} == dict.fromkeys(HEADERS, "[redacted]")
    assert shown["headers"]["x-request-tokens"] == "12"


def test_the_address_of_a_webhook_is_not_recorded(recorded, name):
    project = recorded.create("projects", {"name": name("shop")})["id"]
    rule = {"project_id": project, "name": "slow", "metric": "response_time_p95", "threshold": 1}
    rule |= {"delivery": {"webhook": {"url": f"{HOOK}?access_token={SECRET}"}}, "metadata": COUNTS | {"clientSecret": SECRET}}
    recorded.create("alert_rules", rule)
    shown = record(recorded, "/api/v1/alert_rules")
    assert "a1b2c3d4e5f6a7b8c9d0" not in str(shown)
    assert SECRET not in str(shown)
    assert shown["body"]["metadata"] == COUNTS | {"clientSecret": "[redacted]"}
    trail = str(recorded.all("audit_logs"))
    assert "hooks.example.com" in trail
    assert "a1b2c3d4e5f6a7b8c9d0" not in trail
    assert SECRET not in trail
    assert recorded.get("/api/v1/audit_logs/verify")["ok"]
