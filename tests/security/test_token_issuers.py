"""What a tenant claims of another's end users."""

from __future__ import annotations

import jwt
import pytest

from support.api import Api, assert_error
from support.issuer import Issuer

SECRET = "a-shared-secret-of-more-than-32-bytes"
OTHER = "another-secret-of-more-than-32-bytes-"


@pytest.fixture
def two(api, name) -> dict[str, Api]:
    """Two tenants by their slugs."""
    slugs = [name("claims"), name("claims")]
    return {slug: api.with_key(api.create("tenants", {"slug": slug})["api_key"]["key"]) for slug in slugs}


def tenant_of(api: Api, token: str, named: str | None = None) -> str:
    headers = {"x-loam-tenant": named} if named is not None else {}
    return api.with_key(token).call("GET", "/api/v1/session", 200, headers=headers).json()["tenant_id"]


def test_a_claim_with_other_keys_takes_nobodys_tokens(api, two, name):
    (squatter, theirs), (victim, mine) = two.items()
    claim = {"name": "app", "issuer": f"https://{name('app')}.example.com", "audience": "app", "auto_create_users": True}
    theirs.create("token_issuers", claim | {"secret": OTHER})
    made = mine.create("token_issuers", claim | {"secret": SECRET})
    assert made["needs_tenant_header"] is True
    claims = {"iss": claim["issuer"], "aud": "app", "sub": "ann", "exp": 4_000_000_000}
    token = jwt.encode(claims, SECRET, "HS256")
    home = mine.get("/api/v1/session")["tenant_id"]
    assert tenant_of(api, token) == tenant_of(api, token, victim) == tenant_of(api, token, home) == home
    assert_error(api.with_key(token).call("GET", "/api/v1/session", headers={"x-loam-tenant": squatter}), 401)
    again = mine.call("POST", "/api/v1/token_issuers", json=claim | {"name": "again", "secret": SECRET})
    assert_error(again, 409, param="audience")


def test_a_later_claim_of_the_same_keys_takes_nobodys_tokens_and_an_earlier_one_none_that_name_their_tenant(api, two):
    (first, one), (second, other) = two.items()
    with Issuer() as issuer:
        issuer.add_key("ES256", "k")
        claim = {"name": "app", "issuer": issuer.url, "audience": "chat", "jwks_url": issuer.jwks_url, "auto_create_users": True}
        assert one.create("token_issuers", claim)["needs_tenant_header"] is False
        token = issuer.token("ann", "k")
        homes = [tenant.get("/api/v1/session")["tenant_id"] for tenant in (one, other)]
        assert tenant_of(api, token) == homes[0]
        assert other.create("token_issuers", claim)["needs_tenant_header"] is True
        assert tenant_of(api, token) == homes[0]
        assert tenant_of(api, issuer.token("bob", "k")) == homes[0], "nor one that is not remembered"
        assert [tenant_of(api, token, named) for named in (first, second)] == homes
        for named in ("default", "no-such-tenant", ""):
            answer = api.with_key(token).call("GET", "/api/v1/session", headers={"x-loam-tenant": named})
            assert_error(answer, 401, "unknown_issuer")


def test_an_end_user_names_a_tenant_and_opens_none(api, two, name):
    (slug, mine), (elsewhere, _) = two.items()
    claim = {"name": "app", "issuer": f"https://{name('app')}.example.com", "audience": "app", "auto_create_users": True}
    mine.create("token_issuers", claim | {"secret": SECRET})
    token = jwt.encode({"iss": claim["issuer"], "aud": "app", "sub": "ann", "exp": 4_000_000_000}, SECRET, "HS256")
    user = api.with_key(token)
    user.call("GET", "/api/v1/chat_sessions", 200, headers={"x-loam-tenant": slug})
    assert_error(user.call("GET", "/api/v1/chat_sessions", headers={"x-loam-tenant": elsewhere}), 401, "unknown_issuer")
