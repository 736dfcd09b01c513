"""Loam sends no tenant's request to addresses of this machine or its private network."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest

from support.api import Api, assert_error
from support.deployment import deploy
from support.listener import Listener

CLOSED = {"LOAM_OUTGOING__ALLOW_NETWORKS": "[]"}
PRIVATE = "the internal service's own words"
_numbers = itertools.count(1)

# Ways to write this machine, a neighbour, and the machine's own credentials.
SPELLINGS = [
    "127.0.0.1",
    "localhost",
    "LOCALHOST.",
    "db.localhost",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "0.0.0.0",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "10.0.0.1",
    "192.168.1.1",
    "[fd00::1]",
    "169.254.169.254",
    "[::ffff:169.254.169.254]",
    "0xa9fea9fe",
    "100.100.100.200",
    "[fe80::1]",
]


@pytest.fixture(scope="module")
def closed() -> Iterator[Api]:
    """As `loam serve` starts by itself, behind a proxy on the same machine."""
    with deploy("sqlite", env=CLOSED) as deployment:
        yield deployment.api


@pytest.fixture(scope="module")
def inner() -> Iterator[Listener]:
    with Listener(500, f'{{"error": {{"message": "{PRIVATE}"}}}}'.encode()) as made:
        yield made


def targets(api: Api, url: str) -> dict[str, Any]:
    """Every way in which a tenant names an address; gives the answers by the field at fault."""
    number = next(_numbers)
    session = api.create("chat_sessions", {})["id"]
    project = api.create("projects", {"name": f"shop-{number}"})["id"]
    tool = {"type": "function", "function": {"name": "look"}, "execution": {"kind": "http", "url": url}}
    settings = {"auto_reply": False}
    rule = {"project_id": project, "name": "slow", "metric": "response_time_p95", "threshold": 1}
    token = "123456789:AAtest-token-of-a-bot_0123456789abc"
    posts = {
        "config.base_url": (
            "POST",
            "ai_providers",
            {"name": f"p{number}", "kind": "openai", "config": {"base_url": url, "api_key": "k"}},
        ),
        "tools[0].execution.url": ("PUT", f"chat_sessions/{session}/tools", {"tools": [tool]}),
        "config.url": (
            "POST",
            "channels",
            {"name": f"c{number}", "kind": "webhook", "config": {"url": url}, "settings": settings},
        ),
        "config.api_url": (
            "POST",
            "channels",
            {"name": f"t{number}", "kind": "telegram", "config": {"bot_token": token, "api_url": url}, "settings": settings},
        ),
        "delivery.webhook.url": ("POST", "alert_rules", rule | {"delivery": {"webhook": {"url": url}}}),
        "jwks_url": (
            "POST",
            "token_issuers",
            {"name": f"i{number}", "issuer": f"https://i{number}.example.com", "audience": "a", "jwks_url": url},
        ),
    }
    return {field: api.call(method, f"/api/v1/{path}", json=body) for field, (method, path, body) in posts.items()}


@pytest.mark.parametrize("host", SPELLINGS)
def test_no_spelling_of_a_private_address_is_accepted(closed, inner, host):
    port = inner.url.rsplit(":", 1)[1]
    for field, answer in targets(closed, f"http://{host}:{port}/v1").items():
        assert_error(answer, 400, param=field)
    assert inner.heard == []


@pytest.mark.parametrize(
    "url", ["unix:/run/x.sock", "file:///etc/passwd", "gopher://127.0.0.1/", "http://user:pw@8.8.8.8/", "http://8.8.8.8:0/"]
)
def test_only_http_urls_with_host_and_port_are_accepted(closed, url):
    for field, answer in targets(closed, url).items():
        assert_error(answer, 400, param=field)


def test_a_refusal_says_how_an_operator_allows_it(closed):
    body = {"name": "local", "kind": "ollama", "config": {"base_url": "http://127.0.0.1:11434/v1"}}
    error = assert_error(closed.call("POST", "/api/v1/ai_providers", json=body), 400, param="config.base_url")
    assert "--allow-network 127.0.0.0/8" in error["message"]
    assert "allow_networks" in error["message"]


def test_an_address_that_was_allowed_once_is_looked_at_again_when_it_is_used(inner, tmp_path):
    """A name may lead elsewhere by then: what is checked is each address, when it is connected to."""
    from services import Loam

    inner.heard.clear()
    with Loam(data=tmp_path / "data") as loam:
        config = {"base_url": f"{inner.url}/v1", "api_key": "k", "models": ["m"]}
        made = Api(loam.url, loam.key).create("ai_providers", {"name": "inner", "kind": "openai", "config": config})
    with Loam(data=tmp_path / "data", env=CLOSED) as loam:
        api = Api(loam.url, loam.key)
        tried = api.call("POST", f"/api/v1/ai_providers/{made['id']}/test", 200).json()
        assert not tried["ok"]
        assert tried["status"] is None
        assert "this machine itself" in tried["error"]
        assert_error(api.chat("inner/m", "hello", expect=None), 502)
    assert inner.heard == []


@pytest.mark.parametrize("answer", ["secrets " * 4000, "word\u0000\u001b[31m" * 50])
def test_the_test_of_a_provider_shows_an_excerpt_without_its_key(answer):
    key = "sk-echoed-provider-secret-33cd"
    with Listener(403, f"{key} {answer}".encode()) as echo, deploy("sqlite") as deployment:
        api = deployment.api
        body = {"name": "echo", "kind": "openai", "config": {"base_url": f"{echo.url}/v1", "api_key": key}}
        made = api.create("ai_providers", body)
        tried = api.call("POST", f"/api/v1/ai_providers/{made['id']}/test", 200).json()
        assert tried["status"] == 403
        assert len(tried["error"]) < 500
        assert key not in tried["error"]
        assert not re.search("[\u0000-\u001f]", tried["error"])


def test_the_test_of_a_tool_shows_an_excerpt_without_its_secrets():
    header = "header-secret-of-a-tool-9d0e"
    with Listener(200, f"{header} {'inner ' * 20_000}".encode()) as echo, deploy("sqlite") as deployment:
        api = deployment.api
        path = f"/api/v1/chat_sessions/{api.create('chat_sessions', {})['id']}/tools"
        execution = {"kind": "http", "url": echo.url, "headers": {"x-api-key": header}}
        tool = {"type": "function", "function": {"name": "look"}, "execution": execution}
        api.call("PUT", path, 200, json={"tools": [tool]})
        tried = api.call("POST", f"{path}/test", 200, json={"name": "look", "arguments": {}}).json()
        assert len(tried["content"]) < 5000
        assert header not in tried["content"]
