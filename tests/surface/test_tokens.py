"""Tokens: Loam's own for services, and those of a tenant's application for its end users."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time

import jwt
import pytest

from support.api import assert_error, eventually
from support.browser import Browser
from support.issuer import MAKERS, Issuer

SOON = 1.5
SECRET = "a-shared-secret-of-more-than-32-bytes"


def b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def part(value: dict) -> str:
    return b64(json.dumps(value).encode())


def token_of(api, **body) -> str:
    return api.call("POST", "/api/v1/tokens", 201, json=body).json()["token"]


@pytest.fixture
def issuer():
    with Issuer() as made:
        yield made


def register(api, issuer: Issuer, **fields) -> dict:
    body = {"name": "app", "issuer": issuer.url, "audience": issuer.audience, "jwks_url": issuer.jwks_url}
    return api.create("token_issuers", body | {"auto_create_users": True} | fields)


def of_role(api, name: str) -> set[str]:
    """The permissions of a built-in role: calls and conversations of one's own, of `user`."""
    (role,) = (role for role in api.all("roles") if role["name"] == name)
    assert "gateway:call" in role["permissions"]
    return set(role["permissions"])


# Loam's own tokens


def test_a_key_is_exchanged_for_a_token_that_others_can_check(api):
    made = api.call("POST", "/api/v1/tokens", 201, json={"permissions": ["projects:read"], "expires_in": 60}).json()
    assert made["permissions"] == ["projects:read"]
    keys = api.with_key(None).get("/.well-known/jwks.json")["keys"]
    assert all("d" not in key for key in keys), "a private key is published"
    public = jwt.PyJWKSet.from_dict({"keys": keys})[jwt.get_unverified_header(made["token"])["kid"]]
    claims = jwt.decode(made["token"], public.key, ["EdDSA"], audience="loam", issuer="loam")
    assert claims["exp"] - claims["iat"] == 60
    service = api.with_key(made["token"])
    service.get("/api/v1/projects")
    assert service.get("/api/v1/session")["actor"].startswith("service:api_key:")
    assert_error(service.call("GET", "/api/v1/users"), 403, "missing_permission")
    assert_error(service.call("POST", "/api/v1/tokens", json={}), 403, "missing_permission")


def test_a_token_may_no_more_than_its_maker(api):
    key = api.create("api_keys", {"name": "k", "scopes": ["tokens:create", "projects:read"]})["key"]
    maker = api.with_key(key)
    for names in (["*"], ["projects:write"]):
        assert_error(maker.call("POST", "/api/v1/tokens", json={"permissions": names}), 403, "missing_permission")
    assert_error(maker.call("POST", "/api/v1/tokens", json={"permissions": ["no:such"]}), 400, param="permissions[0]")
    for seconds in (0, 3601, -1):
        assert_error(maker.call("POST", "/api/v1/tokens", json={"expires_in": seconds}), 400, param="expires_in")
    token = token_of(maker)
    assert_error(api.with_key(token).call("POST", "/api/v1/tokens", json={}), 403, "not_exchangeable")


def test_a_token_ends_with_the_key_that_got_it(api):
    made = api.create("api_keys", {"name": "k", "scopes": ["tokens:create", "projects:read"]})
    service = api.with_key(token_of(api.with_key(made["key"])))
    service.get("/api/v1/projects")
    api.call("DELETE", f"/api/v1/api_keys/{made['id']}", 204)
    assert_error(service.call("GET", "/api/v1/projects"), 401, "invalid_token")


def test_a_users_token_ends_with_the_user_and_follows_the_roles(api, name):
    user = name("service-user")
    body = {"username": user, "email": f"{user}@example.com", "password": "a-long-enough-password-1", "roles": ["developer"]}
    made = api.create("users", body)
    browser = Browser(api.url)
    browser.log_in(username=user, password=body["password"])
    token = browser.call("POST", "/api/v1/tokens", 201, json={}).json()["token"]
    service = api.with_key(token)
    service.get("/api/v1/api_keys")
    api.call("PATCH", f"/api/v1/users/{made['id']}", 200, json={"roles": ["viewer"]})
    assert_error(service.call("GET", "/api/v1/api_keys"), 403)
    service.get("/api/v1/projects")
    api.call("DELETE", f"/api/v1/users/{made['id']}", 204)
    assert_error(service.call("GET", "/api/v1/projects"), 401, "invalid_token")


def test_a_token_of_the_key_before_is_taken_until_it_expires(deployment):
    api = deployment.api
    before = token_of(api)
    kid = jwt.get_unverified_header(before)["kid"]
    new = api.call("POST", "/api/v1/signing_keys/rotate", 201).json()
    after = token_of(api)
    assert jwt.get_unverified_header(after)["kid"] == new["kid"] != kid
    for token in (before, after):
        api.with_key(token).get("/api/v1/projects")
    again = deployment.loam.cli_json("signing-key", "rotate")
    eventually(lambda: jwt.get_unverified_header(token_of(api))["kid"] == again["kid"], SOON)
    published = {key["kid"] for key in api.get("/.well-known/jwks.json")["keys"]}
    assert {kid, new["kid"], again["kid"]} <= published
    listed = deployment.loam.cli_json("signing-key", "list")
    assert listed == api.all("signing_keys")
    assert [row["retired_at"] is None for row in listed] == [True] + [False] * (len(listed) - 1)
    assert {"rotate"} == {row["action"] for row in api.all("audit_logs", resource_type="signing_keys")}


def test_only_an_operator_touches_the_signing_keys(tenant):
    assert_error(tenant.call("GET", "/api/v1/signing_keys"), 403)
    assert_error(tenant.call("POST", "/api/v1/signing_keys/rotate"), 403)


def forged(token: str) -> dict[str, tuple[str, str]]:
    """Tokens without a valid signature, by attack, with the expected error code."""
    header, claims, signature = token.split(".")
    read = json.loads(base64.urlsafe_b64decode(claims + "=="))
    head = json.loads(base64.urlsafe_b64decode(header + "=="))

    def with_header(**changes) -> str:
        return f"{part(head | changes)}.{claims}.{signature}"

    def with_claims(**changes) -> str:
        return f"{header}.{part(read | changes)}.{signature}"

    public = json.dumps({"kty": "OKP"}).encode()
    confused = f"{part(head | {'alg': 'HS256'})}.{claims}"
    return {
        "no algorithm": (f"{part(head | {'alg': 'none'})}.{claims}.", "algorithm_not_allowed"),
        "no algorithm, in capitals": (with_header(alg="NONE"), "algorithm_not_allowed"),
        "the public key as a secret": (
            f"{confused}.{b64(hmac.new(public, confused.encode(), hashlib.sha256).digest())}",
            "algorithm_not_allowed",
        ),
        "another algorithm": (with_header(alg="RS256"), "algorithm_not_allowed"),
        "a foreign key": (with_header(kid="somebody-elses"), "unknown_signing_key"),
        "no key": (f"{part({'alg': 'EdDSA'})}.{claims}.{signature}", "invalid_token"),
        "a critical extension": (with_header(crit=["exp"]), "invalid_token"),
        "more rights": (with_claims(permissions=["*"]), "invalid_token"),
        "another tenant": (with_claims(tid="01890000-0000-7000-8000-000000000000"), "invalid_token"),
        "a longer life": (with_claims(exp=read["exp"] + 9999), "invalid_token"),
        "a key of its own": (with_header(jwk={"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}, kid="x"), "unknown_signing_key"),
        "no signature": (f"{header}.{claims}.", "invalid_token"),
        "another signature": (f"{header}.{claims}.{b64(bytes(64))}", "invalid_token"),
        "nothing legible": (f"eyJ.{claims}.{signature}", "invalid_token"),
        "a very long one": (f"{header}.{'A' * 9000}.{signature}", "invalid_token"),
        "an unknown issuer": (with_claims(iss="https://nobody.example.com"), "unknown_issuer"),
    }


def test_a_forged_token_is_refused_and_it_is_said_why(api):
    token = token_of(api, permissions=["projects:read"])
    for tried, (text, code) in forged(token).items():
        error = assert_error(api.with_key(text).call("GET", "/api/v1/projects"), 401)
        assert error["code"] == code, f"{tried}: {error}"
    api.with_key(token).get("/api/v1/projects")


# End users


@pytest.mark.parametrize("algorithm", MAKERS)
def test_an_end_user_comes_with_the_applications_token(gateway, name, issuer, algorithm):
    tenant = gateway.tenant(name("end-users"))
    issuer.add_key(algorithm, "k1")
    register(tenant, issuer)
    mine = tenant.with_key(issuer.token("u-1", "k1"))
    session = mine.get("/api/v1/session")
    assert session["actor"] == "end_user:u-1"
    assert set(session["permissions"]) == of_role(tenant, "user")
    assert session["user"]["external_id"] == "u-1"
    assert mine.get("/v1/models")["data"] == []
    assert_error(mine.call("GET", "/api/v1/users"), 403, "missing_permission")
    (made,) = tenant.all("users", external_id="u-1")
    assert made["has_password"] is False
    (row,) = tenant.all("audit_logs", resource_type="users")
    assert row["actor"] == "end_user:u-1"


def test_an_end_users_rights_are_the_issuers_role_whatever_the_user_may(tenant, issuer):
    issuer.add_key("ES256", "k1")
    made = register(tenant, issuer, auto_create_users=False)
    body = {"username": "boss", "email": "boss@example.com", "roles": ["owner"], "external_id": "boss"}
    tenant.create("users", body)
    mine = tenant.with_key(issuer.token("boss", "k1"))
    assert set(mine.get("/api/v1/session")["permissions"]) == of_role(tenant, "user")
    tenant.create("roles", {"name": "reader", "permissions": ["projects:read"]})
    tenant.call("PATCH", f"/api/v1/token_issuers/{made['id']}", 200, json={"role": "reader"})
    assert mine.get("/api/v1/session")["permissions"] == ["projects:read"]
    unknown = tenant.with_key(issuer.token("nobody", "k1"))
    assert_error(unknown.call("GET", "/api/v1/session"), 401, "unknown_user")
    for role, status in (("owner", 400), ("no-such", 400), ("operator", 403)):
        answer = tenant.call("PATCH", f"/api/v1/token_issuers/{made['id']}", json={"role": role})
        assert_error(answer, status, param="role" if status == 400 else None)


def test_a_user_or_an_issuer_that_is_taken_away_is_refused(tenant, issuer):
    issuer.add_key("EdDSA", "k1")
    made = register(tenant, issuer, user_claim="uid")
    mine = tenant.with_key(issuer.token("ignored", "k1", uid="u-7"))
    user = mine.get("/api/v1/session")["user"]
    assert user["external_id"] == "u-7"
    assert_error(tenant.with_key(issuer.token("ignored", "k1")).call("GET", "/v1/models"), 401, "invalid_token")
    tenant.call("PATCH", f"/api/v1/users/{user['id']}", 200, json={"is_active": False})
    assert_error(mine.call("GET", "/v1/models"), 401, "inactive_user")
    tenant.call("PATCH", f"/api/v1/users/{user['id']}", 200, json={"is_active": True})
    mine.get("/v1/models")
    tenant.call("PATCH", f"/api/v1/token_issuers/{made['id']}", 200, json={"is_active": False})
    assert_error(mine.call("GET", "/v1/models"), 401, "unknown_issuer")
    tenant.call("DELETE", f"/api/v1/token_issuers/{made['id']}", 204)
    assert_error(mine.call("GET", "/v1/models"), 401, "unknown_issuer")


def test_an_end_users_token_is_checked_in_every_way(tenant, issuer):
    issuer.add_key("RS256", "k1")
    issuer.add_key("ES256", "unpublished", publish=False)
    register(tenant, issuer)
    now = int(time.time())
    public = json.dumps(issuer.published[0]).encode()
    head, claims = part({"alg": "HS256", "kid": "k1"}), part(issuer.claims("u-1"))
    confused = f"{head}.{claims}.{b64(hmac.new(public, f'{head}.{claims}'.encode(), hashlib.sha256).digest())}"
    good = issuer.token("u-1", "k1")
    head_of_good, _, signature = good.split(".")
    refused = {
        "expired": (issuer.token("u-1", "k1", exp=now - 60), "expired_token"),
        "without an end": (issuer.token("u-1", "k1", exp=None), "invalid_token"),
        "of the future": (issuer.token("u-1", "k1", nbf=now + 120), "token_not_yet_valid"),
        "for somebody else": (issuer.token("u-1", "k1", aud="mail"), "wrong_audience"),
        "for nobody": (issuer.token("u-1", "k1", aud=None), "wrong_audience"),
        "of another issuer": (issuer.token("u-1", "k1", iss="https://other.example.com"), "unknown_issuer"),
        "of an unpublished key": (issuer.token("u-1", "unpublished"), "unknown_signing_key"),
        "with the public key as a secret": (confused, "algorithm_not_allowed"),
        "unsigned": (jwt.encode(issuer.claims("u-1"), None, "none"), "algorithm_not_allowed"),
        "of nobody": (issuer.token("", "k1"), "invalid_token"),
        "with its claims changed": (".".join([head_of_good, part(issuer.claims("u-2")), signature]), "invalid_token"),
    }
    for tried, (text, code) in refused.items():
        error = assert_error(tenant.with_key(text).call("GET", "/v1/models"), 401)
        assert error["code"] == code, f"{tried}: {error}"
    tenant.with_key(issuer.token("u-1", "k1", exp=now - 10)).get("/v1/models")
    tenant.with_key(issuer.token("u-1", "k1", aud=["mail", "chat"])).get("/v1/models")
    tenant.with_key(good).get("/v1/models")
    assert len(tenant.all("users")) == 1


def test_a_new_key_of_the_issuer_is_fetched_but_not_as_often_as_somebody_likes(tenant, issuer):
    issuer.add_key("ES256", "k1")
    register(tenant, issuer)
    threads = [threading.Thread(target=tenant.with_key(issuer.token(f"u-{n}", "k1")).get, args=("/v1/models",)) for n in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert issuer.asked == 1, "one asks for all"
    issuer.add_key("ES256", "k2", publish=False)
    for _ in range(20):
        assert_error(tenant.with_key(issuer.token("u", "k2")).call("GET", "/v1/models"), 401, "unknown_signing_key")
    assert issuer.asked == 1, "half a minute has not passed"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"x" * 70_000])
def test_an_issuer_without_usable_keys_is_said_to_be_unavailable(tenant, issuer, body):
    issuer.add_key("ES256", "k1")
    issuer.body = body
    register(tenant, issuer)
    answer = tenant.with_key(issuer.token("u", "k1")).call("GET", "/v1/models")
    assert_error(answer, 503, "issuer_unavailable")
    assert int(answer.headers["retry-after"]) >= 1


def test_a_shared_secret_takes_hmac_alone(tenant, name):
    issuer = f"https://{name('secret')}.example.com"
    body = {"name": "app", "issuer": issuer, "audience": "chat", "secret": SECRET, "auto_create_users": True}
    made = tenant.create("token_issuers", body)
    assert made["secret"] == {"sealed": True, "last4": SECRET[-4:]}
    assert made["algorithms"] == ["HS256"]
    assert SECRET not in str(tenant.all("token_issuers")) + str(tenant.all("audit_logs"))
    claims = {"iss": issuer, "aud": "chat", "sub": "u-1", "exp": int(time.time()) + 60}
    tenant.with_key(jwt.encode(claims, SECRET, "HS256")).get("/v1/models")
    wrong = tenant.with_key(jwt.encode(claims, "another-" + SECRET, "HS256"))
    assert_error(wrong.call("GET", "/v1/models"), 401, "invalid_token")
    longer = tenant.with_key(jwt.encode(claims, SECRET * 2, "HS512"))
    assert_error(longer.call("GET", "/v1/models"), 401, "algorithm_not_allowed")
    tenant.call("PATCH", f"/api/v1/token_issuers/{made['id']}", 200, json={"secret": "another-" + SECRET})
    wrong.get("/v1/models")


def test_issuer_and_audience_are_claimed_once_in_a_tenant_and_no_other_takes_their_tokens(deployment, name, issuer):
    issuer.add_key("ES256", "k1")
    mine, other = deployment.tenant(name("mine")), deployment.tenant(name("other"))
    register(mine, issuer)
    body = {"name": "theirs", "issuer": issuer.url, "audience": issuer.audience, "secret": SECRET}
    assert_error(mine.call("POST", "/api/v1/token_issuers", json=body), 409, "already_exists", param="audience")
    other.create("token_issuers", body)
    session = other.with_key(issuer.token("u", "k1")).get("/api/v1/session")
    assert session["tenant_id"] == mine.get("/api/v1/session")["tenant_id"]


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"secret": None}, "jwks_url"),
        ({"jwks_url": "https://example.com/jwks"}, "jwks_url"),
        ({"secret": None, "jwks_url": "http://example.com/jwks"}, "jwks_url"),
        ({"secret": None, "jwks_url": "https://169.254.169.254/latest"}, "jwks_url"),
        ({"secret": None, "jwks_url": "file:///etc/passwd"}, "jwks_url"),
        ({"secret": "short"}, "secret"),
        ({"algorithms": ["RS256"]}, "algorithms"),
        ({"algorithms": ["none"]}, "algorithms"),
        ({"algorithms": []}, "algorithms"),
        ({"secret": None, "jwks_url": "https://example.com/jwks", "algorithms": ["HS256"]}, "algorithms"),
        ({"issuer": "loam"}, "issuer"),
        ({"issuer": ""}, "issuer"),
        ({"user_claim": ""}, "user_claim"),
        ({"typo": 1}, "typo"),
    ],
)
def test_an_issuer_that_makes_no_sense_is_refused(tenant, changes, param):
    body = {"name": "app", "issuer": "https://app.example.com", "audience": "chat", "secret": SECRET} | changes
    body = {name: value for name, value in body.items() if value is not None}
    assert_error(tenant.call("POST", "/api/v1/token_issuers", json=body), 400, param=param)
    assert tenant.all("token_issuers") == []


def test_a_token_pays_from_the_key_that_got_it(gateway):
    made = gateway.api.create("api_keys", {"name": "k", "scopes": ["tokens:create", "gateway:call"]})
    service = gateway.api.with_key(token_of(gateway.api.with_key(made["key"])))
    answer = service.chat("mock/gpt-4o", "hello")
    call = gateway.api.get(f"/api/v1/llm_calls/{answer.headers['x-loam-call-id']}")
    assert call["api_key_id"] == made["id"]
