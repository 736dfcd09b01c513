"""A sealed secret is sent only to the server that it was given for; and the master key can be rotated."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from services import ServiceError
from support.api import Api, assert_error, eventually
from support.deployment import Deployment, deploy
from support.listener import Listener

KEY = "sk-kept-provider-secret-5f1e"
TOKEN = "123456789:AAkept-token-of-a-bot_0123456789abcd"
SECRET = "kept-signing-secret-0123456789abcdef"
OTHER = "another-signing-secret-0123456789abcd"
HEADER = "kept-header-of-a-tool-77ab"
MASKED = {"sealed": True, "last4": KEY[-4:]}


@pytest.fixture
def good() -> Iterator[Listener]:
    with Listener() as made:
        yield made


@pytest.fixture
def evil() -> Iterator[Listener]:
    with Listener() as made:
        yield made


def provider(api: Api, name: str, url: str, **config: Any) -> str:
    body = {"name": name, "kind": "openai", "config": {"base_url": f"{url}/v1", "api_key": KEY} | config}
    return f"/api/v1/ai_providers/{api.create('ai_providers', body)['id']}"


@pytest.mark.parametrize(
    "kept", [{}, {"api_key": MASKED}, {"api_key": MASKED, "api_keys": None}], ids=["left-out", "as-read", "list"]
)
def test_a_providers_key_does_not_follow_its_address(api, name, good, evil, kept):
    path = provider(api, name("p"), good.url, api_keys=["sk-second-kept-secret-1c2d"])
    answer = api.call("PATCH", path, json={"config": {"base_url": f"{evil.url}/v1"} | kept})
    assert_error(answer, 400, "secret_required", "config.api_key")
    # Whatever else is tried, the listener never sees the key.
    api.call("POST", f"{path}/test")
    assert api.get(path)["config"]["base_url"] == f"{good.url}/v1"
    assert evil.heard == []
    assert KEY in good.all()
    given = {"base_url": f"{evil.url}/v1", "api_key": "sk-given-again-0000", "api_keys": None}
    api.call("PATCH", path, 200, json={"config": given})
    api.call("POST", f"{path}/test", 200)
    assert "sk-given-again-0000" in evil.all()
    assert KEY not in evil.all()
    assert "sk-second-kept-secret-1c2d" not in evil.all()


def test_a_providers_key_stays_while_its_server_does(api, name, good):
    path = provider(api, name("p"), good.url)
    api.call("PATCH", path, 200, json={"config": {"base_url": f"{good.url}/other", "api_key": MASKED}})
    api.call("POST", f"{path}/test", 200)
    assert KEY in good.all()


def test_a_redirect_takes_no_key_along(api, name, evil):
    with Listener(302, headers={"location": f"{evil.url}/v1/models"}) as moved:
        path = provider(api, name("p"), moved.url)
        assert api.call("POST", f"{path}/test", 200).json()["status"] == 302
        assert KEY in moved.all()
    assert evil.heard == []


def test_a_bots_token_and_secret_do_not_follow_its_api_url(name, good, evil):
    with deploy("sqlite", env={"LOAM_IDENTITY__PUBLIC_URL": "https://loam.example.com"}) as deployment:
        api = deployment.api
        body = {
            "name": name("bot"),
            "kind": "telegram",
            "config": {"bot_token": TOKEN, "api_url": good.url},
            "settings": {"auto_reply": False},
            "secret": SECRET,
        }
        path = f"/api/v1/channels/{api.create('channels', body)['id']}"
        for config in ({"api_url": evil.url}, {"api_url": evil.url, "bot_token": {"sealed": True}}, {"api_url": None}):
            answer = api.call("PATCH", path, json={"config": config})
            assert_error(answer, 400, "secret_required", "config.bot_token")
        own = TOKEN.replace("kept", "mine")
        answer = api.call("PATCH", path, json={"config": {"api_url": evil.url, "bot_token": own}})
        assert_error(answer, 400, "secret_required", "secret")
        for action in ("connect", "disconnect"):
            api.call("POST", f"{path}/{action}")
        assert evil.heard == []
        assert TOKEN in good.all()
        change = {"config": {"api_url": evil.url, "bot_token": own}, "secret": OTHER}
        api.call("PATCH", path, 200, json=change)
        api.call("POST", f"{path}/connect")
        assert own in evil.all()
        assert OTHER in evil.all()
        assert TOKEN not in evil.all()
        assert SECRET not in evil.all()


def test_what_a_channel_signs_with_does_not_follow_its_url(api, name, good, evil):
    body = {"name": name("hook"), "kind": "webhook", "config": {"url": good.url}, "settings": {"auto_reply": False}}
    path = f"/api/v1/channels/{api.create('channels', body)['id']}"
    assert_error(api.call("PATCH", path, json={"config": {"url": evil.url}}), 400, "secret_required", "secret")
    # Taking the address away first is no way round.
    api.call("PATCH", path, 200, json={"config": {"url": None}})
    assert_error(api.call("PATCH", path, json={"config": {"url": evil.url}}), 400, "secret_required", "secret")
    api.call("PATCH", path, 200, json={"config": {"url": evil.url}, "secret": OTHER})


def test_what_an_alert_signs_with_does_not_follow_its_webhook(api, name, good, evil):
    project = api.create("projects", {"name": name("shop")})["id"]
    webhook = {"url": good.url, "secret": SECRET}
    body = {
        "project_id": project,
        "name": "slow",
        "metric": "response_time_p95",
        "threshold": 1,
        "delivery": {"webhook": webhook},
    }
    path = f"/api/v1/alert_rules/{api.create('alert_rules', body)['id']}"
    change = {"delivery": {"webhook": {"url": f"{evil.url}/x"}}}
    assert_error(api.call("PATCH", path, json=change), 400, "secret_required", "delivery.webhook.secret")
    api.call("PATCH", path, 200, json={"delivery": {"webhook": {"url": f"{good.url}/elsewhere"}}})
    api.call("PATCH", path, 200, json={"delivery": {"webhook": {"url": evil.url, "secret": OTHER}}})


def tool(url: str, header: Any, secret: Any) -> dict[str, Any]:
    execution = {"kind": "http", "url": url, "headers": {"x-api-key": header}, "secret": secret}
    return {"tools": [{"type": "function", "function": {"name": "look"}, "execution": execution}]}


def test_a_tools_secrets_do_not_follow_its_url(api, good, evil):
    path = f"/api/v1/chat_sessions/{api.create('chat_sessions', {})['id']}/tools"
    api.call("PUT", path, 200, json=tool(good.url, HEADER, SECRET))
    kept = {"sealed": True, "last4": HEADER[-4:]}
    answer = api.call("PUT", path, json=tool(evil.url, kept, SECRET))
    assert_error(answer, 400, "secret_required", "tools[0].execution.headers.x-api-key")
    answer = api.call("PUT", path, json=tool(evil.url, "mine", kept))
    assert_error(answer, 400, "secret_required", "tools[0].execution.secret")
    api.call("POST", f"{path}/test", 200, json={"name": "look", "arguments": {}})
    assert HEADER in good.all()
    assert evil.heard == []


def test_an_issuers_secret_is_sent_nowhere_and_goes_with_a_jwks(api, name, evil):
    body = {"name": name("app"), "issuer": f"https://{name('app')}.example.com", "audience": "app", "secret": SECRET * 2}
    path = f"/api/v1/token_issuers/{api.create('token_issuers', body)['id']}"
    changed = api.call("PATCH", path, 200, json={"jwks_url": f"{evil.url}/jwks"}).json()
    assert changed["secret"] is None
    assert SECRET not in evil.all()


# --- the key that seals ---


def everything(deployment: Deployment, good: Listener) -> dict[str, str]:
    """Something sealed in every table that has such values; gives what is needed to look at it again."""
    api = deployment.api
    made = {"provider": provider(api, "sealed", good.url, api_keys=["sk-second-kept-secret-1c2d"], models=["m"])}
    session = api.create("chat_sessions", {})["id"]
    made["tools"] = f"/api/v1/chat_sessions/{session}/tools"
    api.call("PUT", made["tools"], 200, json=tool(good.url, HEADER, SECRET))
    config = {"bot_token": TOKEN, "api_url": good.url}
    body = {"name": "bot", "kind": "telegram", "config": config, "settings": {"auto_reply": False}}
    made["channel"] = f"/api/v1/channels/{api.create('channels', body)['id']}"
    api.call("POST", f"{made['channel']}/rotate_secret", 200, json={})
    project = api.create("projects", {"name": "shop"})
    made["ingest_key"] = project["ingest_key"]
    webhook = {"url": good.url, "secret": SECRET}
    rule = {"project_id": project["id"], "name": "slow", "metric": "response_time_p95", "threshold": 1}
    api.create("alert_rules", rule | {"delivery": {"webhook": webhook}})
    issuer = {"name": "app", "issuer": "https://app.example.com", "audience": "app", "secret": SECRET * 2}
    api.create("token_issuers", issuer)
    made["token"] = api.call("POST", "/api/v1/tokens", 201, json={}).json()["token"]
    made["idempotency"] = str(uuid.uuid4())
    made["answer"] = json.dumps(again(api, made["idempotency"]))
    return made


def again(api: Api, key: str) -> Any:
    return api.create("api_keys", {"name": "once", "scopes": ["projects:read"]}, headers={"idempotency-key": key})


def still_works(deployment: Deployment, made: dict[str, str], good: Listener) -> None:
    """Every value opens."""
    api = deployment.api
    before = len(good.heard)
    api.call("POST", f"{made['provider']}/test", 200)
    assert KEY in good.all()
    api.call("POST", f"{made['tools']}/test", 200, json={"name": "look", "arguments": {}})
    api.call("POST", f"{made['channel']}/disconnect")
    assert len(good.heard) == before + 3
    api.with_key(made["token"]).get("/api/v1/projects")
    assert api.call("POST", "/api/v1/tokens", 201, json={}).json()["token"]
    assert json.dumps(again(api, made["idempotency"])) == made["answer"]


def whole(deployment: Deployment) -> str:
    """All that the database holds, as text."""
    if deployment.postgres:
        return deployment.postgres.dump(deployment.database_name)
    with sqlite3.connect(f"file:{deployment.loam.data / 'loam.db'}?mode=ro", uri=True) as database:
        return "\n".join(database.iterdump())


def keys(deployment: Deployment) -> dict[str, dict[str, Any]]:
    return {row["key"]: row for row in deployment.loam.cli_json("secret", "status")}


def test_everything_is_sealed_anew_while_the_server_runs(deployment, good):
    loam = deployment.loam
    made = everything(deployment, good)
    ((old, before),) = keys(deployment).items()
    assert set(before["tables"]) == {
        "ai_providers",
        "session_configs",
        "channels",
        "projects",
        "alert_rules",
        "token_issuers",
        "signing_keys",
        "idempotency_keys",
    }
    assert f"v1.{old}." in whole(deployment)
    with pytest.raises(ServiceError, match="the key that seals"):
        loam.cli("secret", "drop", old)
    # A name is Base64 and may look like an option.
    with pytest.raises(ServiceError, match="there is no key `-_nobody`"):
        loam.cli("secret", "drop", "-_nobody")
    if deployment.postgres:
        with pytest.raises(ServiceError, match="--prepare"):
            loam.cli("secret", "rotate")
        new = loam.cli_json("secret", "rotate", "--prepare")["key"]
        loam.cli("secret", "rotate", "--to", new)
        provider_in_old_key(deployment, old, new)
        with pytest.raises(ServiceError, match="still sealed under"):
            loam.cli("secret", "drop", old)
        turned = loam.cli_json("secret", "rotate", "--resume")
    else:
        turned = loam.cli_json("secret", "rotate")
        new = turned["key"]
    assert {row["table"] for row in turned["tables"]} >= set(before["tables"])
    assert all(row["unopened"] == 0 for row in turned["tables"])
    after = keys(deployment)
    assert after[new]["state"] == "seals"
    assert after[old]["values"] == 0
    assert after[new]["values"] >= before["values"]
    assert f"v1.{old}." not in whole(deployment)
    still_works(deployment, made, good)
    # What is sealed from now on is under the new key, by the server that was running all the while.
    provider(deployment.api, "later", good.url)
    assert keys(deployment)[old]["values"] == 0
    loam.cli("secret", "drop", old)
    assert set(keys(deployment)) == {new}
    still_works(deployment, made, good)
    loam.restart()
    still_works(deployment, made, good)
    trail = [row["action"] for row in deployment.api.all("audit_logs") if row["resource_type"] == "master_key"]
    assert {"rotate", "reseal", "drop"} <= set(trail)


def provider_in_old_key(deployment: Deployment, old: str, new: str) -> None:
    """A node whose key file still has the old key first seals under it."""
    file = deployment.loam.data / "master.key"
    lines = file.read_text().split()
    file.write_text("\n".join(lines[::-1]) + "\n")
    deployment.loam.cli(
        "provider", "create", "--name", "behind", "--config", json.dumps({"base_url": "https://a.example", "api_key": KEY})
    )
    file.write_text("\n".join(lines) + "\n")
    assert keys(deployment)[old]["values"] == 1
    assert keys(deployment)[new]["values"] > 1


def test_a_providers_key_is_replaced_by_a_command_and_the_next_call_uses_it(deployment, good):
    api = deployment.api
    provider(api, "turned", good.url, models=["m"])
    api.chat("turned/m", "hello", expect=None)
    assert KEY in good.all()
    deployment.loam.cli("provider", "update", "turned", "--config", "-", stdin=json.dumps({"api_key": "sk-replaced-9a8b7c"}))

    def uses_it() -> bool:
        api.chat("turned/m", "hello", expect=None)
        return good.heard[-1].headers["authorization"] == "Bearer sk-replaced-9a8b7c"

    # Another process made the change: the server hears of it within a second.
    eventually(uses_it, 10)
    with pytest.raises(ServiceError, match="no provider"):
        deployment.loam.cli("provider", "update", "unknown", "--config", "{}")
    with Listener() as evil, pytest.raises(ServiceError, match="send the secret itself again"):
        deployment.loam.cli("provider", "update", "turned", "--config", json.dumps({"base_url": evil.url}))
