"""Secrets appear in no log, database, journal or response."""

from __future__ import annotations

import json
import uuid

import bcrypt
import pytest

from services import LlMock
from support.api import Api
from support.browser import Browser
from support.deployment import Deployment, deploy

PASSWORD = "user-password-d2e7aa41"
FIRST = "sk-first-provider-secret-71c3"
SECOND = "sk-second-provider-secret-90ab"
SHARED = "shared-secret-of-an-application-4b1d77c2"
IMPORTED = "imported-password-3f9a20"
LISTS = ["ai_providers", "users", "api_keys", "audit_logs", "llm_calls", "jobs"]
LISTS += ["login_sessions", "token_issuers", "signing_keys"]
CHANGED = "changed-password-77e1c4"


def traces(deployment: Deployment) -> dict[str, bytes]:
    """Everything that Loam wrote, by location, except the master key."""
    loam = deployment.loam
    found = {"log": loam.process.log().encode(), "standard output": loam.process.output().encode()}
    for path in loam.data.rglob("*"):
        if path.is_file() and path.name != "master.key":
            found[str(path.relative_to(loam.data))] = path.read_bytes()
    if deployment.postgres:
        # With the bytea columns, which a dump writes in hexadecimal, both raw and as text.
        dump = deployment.postgres.dump(deployment.database_name)
        found["dump"] = dump.encode()
        found["dump's bytes"] = b"\n".join(_bytes_of(word) for word in dump.split() if word.startswith("\\\\x"))
    return found


def _bytes_of(word: str) -> bytes:
    digits = word.removeprefix("\\\\x").rstrip(",;)'")
    try:
        return bytes.fromhex(digits)
    except ValueError:
        return b""


def use_everything(deployment: Deployment, mock: LlMock) -> list[str]:
    """Uses each kind of secret in each way; returns them."""
    api: Api = deployment.api
    provider = deployment.add_provider("sealed", mock.base_url, ["gpt-4o"], key=FIRST)
    assert provider["config"]["api_key"] == {"sealed": True, "last4": FIRST[-4:]}
    api.chat("sealed/gpt-4o", "hello")
    changed = {"config": {"base_url": mock.base_url, "api_key": SECOND, "models": ["gpt-4o"]}}
    api.call("PATCH", f"/api/v1/ai_providers/{provider['id']}", 200, json=changed)
    api.chat("sealed/gpt-4o", "hello")
    api.chat("sealed/none", "hello", expect=None)
    api.create("users", {"username": "guarded", "email": "guarded@example.com", "password": PASSWORD})
    # Rejected, so that the error path gets a body with a secret.
    api.call("POST", "/api/v1/users", json={"username": "guarded", "email": "g2@example.com", "password": PASSWORD})
    api.call("POST", "/api/v1/ai_providers", json={"name": "sealed", "kind": "openai", "config": {"api_key": FIRST, "typo": 1}})
    keys = []
    for idempotent in (False, True):
        headers = {"idempotency-key": str(uuid.uuid4())} if idempotent else {}
        keys.append(api.create("api_keys", {"name": f"k{idempotent}", "scopes": ["*"]}, headers=headers)["key"])
    tenant_headers = {"idempotency-key": str(uuid.uuid4())}
    keys.append(api.create("tenants", {"slug": "sealed", "name": "Sealed"}, headers=tenant_headers)["api_key"]["key"])
    keys += log_in_and_out(api)
    for key in keys[:3]:
        api.with_key(key).get("/api/v1/projects")
    api.with_key(keys[0] + "x").call("GET", "/api/v1/projects", 401)
    return [FIRST, SECOND, PASSWORD, deployment.loam.key, "correct-horse-battery-staple", *keys]


def log_in_and_out(api: Api) -> list[str]:
    """Uses every secret of log-ins and tokens; returns them."""
    issuer = {"name": "app", "issuer": "https://app.example.com", "audience": "app", "secret": SHARED}
    assert api.create("token_issuers", issuer)["secret"] == {"sealed": True, "last4": SHARED[-4:]}
    imported = bcrypt.hashpw(IMPORTED.encode(), bcrypt.gensalt(4)).decode()
    body = {"username": "imported", "email": "imported@example.com", "password_hash": imported}
    user = api.create("users", body)
    browser = Browser(api.url)
    browser.log_in(username="imported", password=IMPORTED)
    browser.log_in(401, username="imported", password=IMPORTED + "-wrong")
    cookie = browser.cookie
    token = api.call("POST", "/api/v1/tokens", 201, json={}).json()["token"]
    api.with_key(token).get("/api/v1/projects")
    api.with_key(token[:-4] + "AAAA").call("GET", "/api/v1/projects", 401)
    headers = {"idempotency-key": str(uuid.uuid4())}
    reset = api.call("POST", f"/api/v1/users/{user['id']}/password_reset", 200, headers=headers).json()["password"]
    fresh = Browser(api.url)
    fresh.log_in(username="imported", password=reset)
    change = {"old_password": reset, "new_password": CHANGED}
    fresh.call("POST", "/api/v1/session/password", 204, json=change)
    return [SHARED, IMPORTED, cookie, browser.csrf, token, token.split(".")[2], reset, fresh.cookie, CHANGED]


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_no_secret_is_found_in_any_trace(database, request, mock):
    server = request.getfixturevalue("postgres") if database == "postgres" else None
    with deploy(database, server, env={"LOAM_LOG": "debug"}) as deployment:
        secrets = use_everything(deployment, mock)
        deployment.api.call("GET", "/metrics", 200)
        where = [
            f"{secret[:12]}… in {place}"
            for place, text in traces(deployment).items()
            for secret in secrets
            if secret.encode() in text
        ]
        assert not where, where
        # The same after a restart, which writes the database's log into its file.
        deployment.loam.restart()
        deployment.api.chat("sealed/gpt-4o", "hello")
        where = [
            f"{secret[:12]}… in {place}"
            for place, text in traces(deployment).items()
            for secret in secrets
            if secret.encode() in text
        ]
        assert not where, where
        everything = str([deployment.api.all(each) for each in LISTS])
        assert not [secret[:12] for secret in secrets if secret in everything]


def test_the_look_for_secrets_would_find_one(mock):
    """The scan above must be able to fail: it finds a name that is not secret."""
    with deploy("sqlite") as deployment:
        deployment.api.create("projects", {"name": "a-name-that-is-no-secret"})
        deployment.loam.stop()
        assert any(b"a-name-that-is-no-secret" in text for text in traces(deployment).values())
        deployment.loam.start()
        assert mock.url


def test_the_providers_key_is_sent_to_the_provider_and_the_clients_is_not():
    """Observed by a provider of our own, because the mock does not store headers."""
    import http.server
    import threading

    seen: list[dict[str, str]] = []

    class Provider(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append({name.lower(): value for name, value in self.headers.items()})
            self.rfile.read(int(self.headers["content-length"]))
            choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
            completion = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
            body = json.dumps(completion).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with deploy("sqlite") as deployment:
            deployment.add_provider("seen", f"http://127.0.0.1:{server.server_port}/v1", ["m"], key=FIRST)
            headers = {"cookie": "session=private", "x-forwarded-for": "203.0.113.9"}
            answer = deployment.api.chat("seen/m", "hello there", headers=headers)
            row = deployment.api.get(f"/api/v1/llm_calls/{answer.headers['x-loam-call-id']}")
    finally:
        server.shutdown()
        server.server_close()
    assert seen[0]["authorization"] == f"Bearer {FIRST}"
    assert "cookie" not in seen[0]
    assert deployment.loam.key not in str(seen)
    # Its response had no usage: the tokens are estimated.
    assert row["state"] == "estimated"
    assert row["prompt_tokens"] > 0
    assert row["completion_tokens"] > 0
