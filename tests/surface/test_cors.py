"""Browsers: which pages of other origins can use Loam, and how their `EventSource` follows a turn."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from support.api import Api, assert_error, eventually
from support.conversation import QUICK, Chat
from support.deployment import add_usual_providers

PAGE = "https://app.example.com"
OTHER = "https://evil.example"
CONFIG = "/api/v1/system_config/security.cors"


def preflight(api: Api, origin: str, path: str = "/v1/chat/completions") -> httpx.Response:
    headers = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,x-stainless-lang",
    }
    return api.with_key(None).call("OPTIONS", path, 204, headers=headers)


def sent_by(api: Api, origin: str, method: str = "GET", path: str = "/api/v1/projects", **options: Any) -> httpx.Response:
    return api.call(method, path, headers={"origin": origin, "sec-fetch-site": "cross-site"}, **options)


def readable(answer: httpx.Response) -> bool:
    return "access-control-allow-origin" in answer.headers


@pytest.fixture
def instance_allows(api):
    api.call("PUT", CONFIG, 200, json={"config_value": {"allowed_origins": [PAGE]}})
    yield
    api.call("DELETE", CONFIG, 204)


def test_no_page_of_another_origin_can_read_anything_by_default(api, tenant):
    assert not readable(preflight(api, PAGE))
    answer = sent_by(tenant, PAGE)
    assert answer.status_code == 200
    assert not readable(answer)


def test_pages_of_the_instances_origins_can_use_every_key(api, tenant, instance_allows):
    answer = preflight(api, PAGE)
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "PATCH" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-headers"] == "authorization,content-type,x-stainless-lang"
    assert "access-control-allow-credentials" not in answer.headers, "cookies are never accepted across origins"
    for answer in [
        sent_by(tenant, PAGE),
        sent_by(tenant, PAGE, "POST", "/api/v1/projects", json={"name": ""}),
        sent_by(tenant.with_key(None), PAGE),
        sent_by(tenant.with_key("loam_wrong"), PAGE),
    ]:
        assert answer.headers["access-control-allow-origin"] == PAGE, answer.status_code
        assert "origin" in answer.headers["vary"].lower()
        assert answer.headers["access-control-expose-headers"] == "*"
    for answer in [preflight(api, OTHER), sent_by(tenant, OTHER), sent_by(tenant, "null")]:
        assert not readable(answer)


def test_a_key_with_origins_is_for_their_pages_alone(tenant, name):
    made = tenant.create("api_keys", {"name": name(), "scopes": ["projects:read"], "allowed_origins": [PAGE.upper()]})
    assert made["allowed_origins"] == [PAGE]
    key = tenant.with_key(made["key"])
    assert readable(preflight(tenant, PAGE))
    answer = sent_by(key, PAGE)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == PAGE
    refused = sent_by(key, OTHER)
    assert_error(refused, 403, "origin_not_allowed")
    assert not readable(refused)
    # What is no page has no origin, and Loam's own pages are no other site's.
    key.call("GET", "/api/v1/projects", 200)
    own = {"origin": key.url, "sec-fetch-site": "same-origin"}
    key.call("GET", "/api/v1/projects", 200, headers=own)
    # Another key's origins say nothing about this one.
    assert not readable(sent_by(tenant, PAGE))
    tenant.call("DELETE", f"/api/v1/api_keys/{made['id']}", 204)
    assert not readable(preflight(tenant, PAGE))


def test_a_project_key_sends_telemetry_from_the_projects_pages(tenant, name):
    config = {"allowed_origins": [f"{PAGE.upper()}:443"]}
    project = tenant.create("projects", {"name": name(), "config": config})
    sender = tenant.with_key(project["ingest_key"])
    assert readable(preflight(tenant, PAGE, "/v1/traces"))
    traces = {"resourceSpans": []}
    answer = sent_by(sender, PAGE, "POST", "/v1/traces", json=traces)
    assert answer.status_code == 200, answer.text
    assert readable(answer)
    assert_error(sent_by(sender, OTHER, "POST", "/v1/traces", json=traces), 403, "origin_not_allowed")


@pytest.mark.parametrize("origin", ["app.example.com", f"{PAGE}/", "null", "ftp://a.example", ""])
def test_an_origin_is_scheme_host_and_port(tenant, name, origin):
    wrong = {"name": name(), "allowed_origins": [origin]}
    assert_error(tenant.call("POST", "/api/v1/api_keys", json=wrong), 400, param="allowed_origins")
    wrong = {"name": name(), "config": {"allowed_origins": [origin]}}
    assert_error(tenant.call("POST", "/api/v1/projects", json=wrong), 400, param="config.allowed_origins")


def test_an_event_source_follows_a_turn_with_a_short_lived_token(deployment, mock, slow):
    add_usual_providers(deployment, mock, slow)
    api = deployment.api
    chat = Chat(api, QUICK)
    turn = chat.ask("hello")["id"]
    path = f"{chat.turns}/{turn}/stream"
    token = api.call("POST", "/api/v1/tokens", 201, json={"permissions": ["turns:read"], "expires_in": 60}).json()["token"]
    nobody = api.with_key(None)
    # As an EventSource sends it: no header but these, then again after the last event that arrived.
    first = nobody.call("GET", path, 200, params={"access_token": token}, headers={"accept": "text/event-stream"})
    assert first.content == chat.again(turn).raw
    nobody.call("GET", path, 200, params={"access_token": token}, headers={"last-event-id": "1"})
    # The token is for the permissions it was made with, and for this operation alone in a URL.
    few = api.call("POST", "/api/v1/tokens", 201, json={"permissions": ["users:read"]}).json()["token"]
    assert_error(nobody.call("GET", path, params={"access_token": few}), 403, "missing_permission")
    assert_error(nobody.call("GET", f"{chat.turns}/{turn}", params={"access_token": token}), 401, "missing_credential")
    # An API key doesn't belong into a URL.
    assert_error(nobody.call("GET", path, params={"access_token": api.key}), 401, "invalid_token")
    assert_error(nobody.call("GET", path, params={"access_token": "x"}), 401)

    def recorded() -> list[dict[str, Any]]:
        rows = api.all("api_logs", path_prefix=path, instance="true")
        return [row for row in rows if "access_token" in (row["query_params"] or {})]

    logged = eventually(recorded)
    assert all(row["query_params"]["access_token"] == "[redacted]" for row in logged)
