"""Values that are concatenated into a key must not collide when they are split differently."""

from __future__ import annotations

import httpx
import jwt

from support.deployment import deploy

SECRET = "a-shared-secret-of-more-than-32-bytes"


def test_two_end_users_never_share_an_idempotency_key(tenant, name):
    issuer = f"https://{name('app')}.example.com"
    body = {"name": "app", "issuer": issuer, "audience": "app", "secret": SECRET, "auto_create_users": True}
    tenant.create("token_issuers", body)

    def make(sub: str, key: str) -> httpx.Response:
        token = jwt.encode({"iss": issuer, "aud": "app", "sub": sub, "exp": 4_000_000_000}, SECRET, "HS256")
        headers = {"idempotency-key": key}
        return tenant.with_key(token).call("POST", "/api/v1/chat_sessions", 201, json={"title": "same"}, headers=headers)

    first = make("a/b", "c")
    others = [make("a", "b/c"), make("a/b/c", "x"), make("a/b", "c/")]
    assert all("idempotent-replayed" not in answer.headers for answer in others)
    assert len({answer.json()["id"] for answer in [first, *others]}) == 4
    again = make("a/b", "c")
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == first.json()


def test_tries_for_one_tenant_lock_nobody_of_another():
    with deploy("sqlite", env={"LOAM_IDENTITY__ACCOUNT_FAILURES": "2"}) as deployment:
        login = f"{deployment.api.url}/api/v1/login"
        for _ in range(3):
            httpx.post(login, json={"tenant": "acme/x", "username": "y", "password": "wrong-password"})
        answer = httpx.post(login, json={"tenant": "acme", "username": "x/y", "password": "wrong-password"})
        assert answer.status_code == 401, answer.text
