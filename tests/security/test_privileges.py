"""No privilege escalation: every way to grant permissions, at the time of the grant and after the grantor has lost them.

What is handed on, what shows it at the time, and what later:

- a key, of nobody's, of one's own, of another user's: `..._gets_no_more_than_its_maker_has`, `..._own_sessions_...`,
  `..._makes_no_operator`; later `..._loses_what_its_maker_loses`, `..._sees_no_more_when_its_maker_does_not`, `..._is_none_...`
- a key made with a key: the same; later `..._ends_with_the_key_that_made_it_unless_it_is_taken_over`
- a key made by an operator in another tenant: the same; later `..._ends_with_the_operator`
- a token of Loam's: `..._makes_no_key_beyond_itself`; later it is its maker's at the time of use (`surface/test_tokens.py`)
- a token of an end user's: `..._makes_no_key`; later it has its issuer's role at the time of use
- a token issuer: `..._is_not_taken_over_...`; later its end users have its role at the time of use
- a role: `..._is_not_given_by_leaving_it_out`; later it is taken away where it was given (`surface/test_roles.py`)
- a user's password or id elsewhere: `test_nobody_becomes_somebody_who_sees_more`
- a project's key: `..._is_for_who_may_send`; later it sends to its project alone
"""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from support.api import Api, assert_error, eventually
from support.browser import Browser

PASSWORD = "a-long-enough-password-1"
SECRET = "a-shared-secret-of-more-than-32-bytes"
SOON = 1.5
OWN = ["chat_sessions:read", "chat_sessions:write"]


class Member:
    """A user with a role of its own, logged in."""

    def __init__(self, owner: Api, slug: str, name: str, permissions: list[str] | None = None, roles: list[str] | None = None):
        self.owner = owner
        self.role = None
        if permissions is not None:
            self.role = owner.create("roles", {"name": name, "permissions": permissions})
            roles = [name]
        body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD, "roles": roles}
        self.user = owner.create("users", body)
        self.browser = Browser(owner.url)
        self.browser.log_in(tenant=slug, username=name, password=PASSWORD)

    @property
    def id(self) -> str:
        return self.user["id"]

    def key(self, *scopes: str, expect: int = 201, **fields: Any) -> Any:
        body = {"name": "key", "scopes": list(scopes)} | fields
        answer = self.browser.call("POST", "/api/v1/api_keys", expect, json=body)
        return self.owner.with_key(answer.json()["key"]) if expect == 201 else assert_error(answer, expect)

    def change(self, **fields: Any) -> None:
        self.owner.call("PATCH", f"/api/v1/users/{self.id}", 200, json=fields)


@pytest.fixture
def acme(api, name) -> tuple[Api, str]:
    """A tenant's first key, and its slug."""
    slug = name("acme")
    made = api.create("tenants", {"slug": slug})
    return api.with_key(made["api_key"]["key"]), slug


def refused(api: Api, path: str = "/api/v1/projects", status: int = 401) -> bool:
    return api.call("GET", path).status_code == status


def test_a_key_gets_no_more_than_its_maker_has(acme, name):
    owner, slug = acme
    ann = Member(owner, slug, name("ann"), ["api_keys:write", "projects:read", "tokens:create"])
    other = Member(owner, slug, name("boss"), roles=["owner"])
    for scopes in (["*"], ["users:write"], ["projects:read", "llm_calls:read"]):
        for fields in ({}, {"user_id": ann.id}, {"user_id": other.id}):
            assert ann.key(*scopes, expect=403, **fields)["param"] == "scopes"
    ann.key("projects:read").get("/api/v1/projects")


def test_who_sees_their_own_sessions_makes_no_key_that_sees_all(acme, name):
    owner, slug = acme
    ann = Member(owner, slug, name("ann"), ["api_keys:write", "user_preferences:read", "gateway:call", *OWN])
    boss = Member(owner, slug, name("boss"), roles=["owner"])
    theirs = owner.create("chat_sessions", {"title": "theirs", "user_id": boss.id})["id"]
    for scope in ("chat_sessions:read", "user_preferences:read"):
        for fields in ({}, {"user_id": boss.id}):
            assert ann.key("gateway:call", scope, expect=403, **fields)["param"] == "user_id"
    mine = ann.key("chat_sessions:read", "chat_sessions:write", "api_keys:write", user_id=ann.id)
    own = mine.create("chat_sessions", {"title": "mine"})["id"]
    assert [row["id"] for row in mine.all("chat_sessions")] == [own]
    assert_error(mine.call("GET", f"/api/v1/chat_sessions/{theirs}"), 404)
    # nor with a key that is of her own
    again = {"name": "again", "scopes": ["chat_sessions:read"]}
    assert_error(mine.call("POST", "/api/v1/api_keys", json=again), 403, param="user_id")
    ann.key("gateway:call")
    boss.key("chat_sessions:read").get(f"/api/v1/chat_sessions/{theirs}")


def test_an_owner_of_the_operators_tenant_makes_no_operator(api, name):
    owner = Member(api, "default", name("owner"), roles=["owner"])
    operator = next(user for user in api.all("users") if "operator" in user["roles"])
    assert owner.key("*", expect=403)["param"] == "scopes"
    for fields in ({}, {"user_id": owner.id}, {"user_id": operator["id"]}):
        key = owner.key("system_config:write", "system_config:read", "jobs:read", **fields)
        assert key.get("/api/v1/session")["operator"] is False
        assert_error(key.call("GET", "/api/v1/jobs", params={"instance": "true"}), 403, "not_an_operator")
        change = {"config_value": {"max_body_bytes": 2000}}
        answer = key.call("PUT", "/api/v1/system_config/system_limits.requests", json=change)
        assert_error(answer, (403, 404))


def test_a_key_loses_what_its_maker_loses(acme, name):
    owner, slug = acme
    ann = Member(owner, slug, name("ann"), ["api_keys:write", "projects:read", "projects:write", "users:read"])
    key, user_less = ann.key("projects:read", "users:read", user_id=ann.id), ann.key("projects:read", "users:read")
    child = owner.with_key(
        ann.key("api_keys:write", "users:read").create("api_keys", {"name": "child", "scopes": ["users:read"]})["key"]
    )
    for one in (key, user_less, child):
        one.get("/api/v1/users")
    role = f"/api/v1/roles/{ann.role['id']}"
    owner.call("PATCH", role, 200, json={"permissions": ["api_keys:write", "projects:read"]})
    for one in (key, user_less, child):
        eventually(lambda one=one: refused(one, "/api/v1/users", 403), SOON)
    user_less.get("/api/v1/projects")
    owner.call("PATCH", role, 200, json={"permissions": ["api_keys:write", "projects:read", "users:read"]})
    for one in (key, user_less, child):
        eventually(lambda one=one: not refused(one, "/api/v1/users", 403), SOON)
    ann.change(is_active=False)
    for one in (key, user_less, child):
        eventually(lambda one=one: refused(one, "/api/v1/users"), SOON)
    ann.change(is_active=True)
    eventually(lambda: user_less.call("GET", "/api/v1/users").status_code == 200, 5)
    owner.call("DELETE", f"/api/v1/users/{ann.id}", 204)
    for one in (key, user_less, child):
        eventually(lambda one=one: refused(one, "/api/v1/users"), SOON)


def test_a_key_of_nobody_sees_no_more_when_its_maker_does_not(acme, name):
    owner, slug = acme
    all_of_them = ["api_keys:write", "projects:read", "chat_sessions:all", *OWN]
    ann = Member(owner, slug, name("ann"), all_of_them)
    owner.create("chat_sessions", {"title": "theirs"})
    key = ann.key("chat_sessions:read", "projects:read")
    assert len(key.all("chat_sessions")) == 1
    owner.call("PATCH", f"/api/v1/roles/{ann.role['id']}", 200, json={"permissions": all_of_them[:2] + OWN})
    eventually(lambda: refused(key, "/api/v1/chat_sessions", 403), SOON)
    key.get("/api/v1/projects")


def test_an_operators_key_is_none_when_its_maker_is_none(api, name):
    ops = Member(api, "default", name("ops"), roles=["operator", "owner"])
    key = ops.key("tenants:read", "jobs:read")
    assert key.get("/api/v1/session")["operator"] is True
    ops.change(roles=["owner"])
    eventually(lambda: key.get("/api/v1/session")["operator"] is False, SOON)
    assert_error(key.call("GET", "/api/v1/jobs", params={"instance": "true"}), 403, "not_an_operator")


def test_a_key_that_an_operator_made_elsewhere_ends_with_the_operator(api, acme, name):
    _, slug = acme
    ops = Member(api, "default", name("ops"), roles=["operator"])
    body = {"name": "left behind", "scopes": ["projects:read"]}
    made = ops.browser.call("POST", "/api/v1/api_keys", 201, json=body, headers={"x-loam-tenant": slug}).json()
    assert made["made_by"] == f"user:{ops.id}"
    key = api.with_key(made["key"])
    key.get("/api/v1/projects")
    ops.change(roles=["owner"])
    eventually(lambda: refused(key), SOON)


def test_a_key_is_revoked_with_its_creator_unless_it_is_taken_over(acme):
    owner, _ = acme
    stolen = owner.create("api_keys", {"name": "stolen", "scopes": ["api_keys:write", "projects:read"]})
    thief = owner.with_key(stolen["key"])
    made = [thief.create("api_keys", {"name": f"n{n}", "scopes": ["projects:read"]}) for n in range(2)]
    keys = [owner.with_key(row["key"]) for row in made]
    assert [row["made_by"] for row in made] == [f"api_key:{stolen['id']}"] * 2
    # neither can it be made its own maker's maker, nor by somebody who may less
    assert_error(keys[0].call("POST", f"/api/v1/api_keys/{stolen['id']}/take_over"), 403)
    narrow = owner.with_key(owner.create("api_keys", {"name": "narrow", "scopes": ["api_keys:write"]})["key"])
    assert_error(narrow.call("POST", f"/api/v1/api_keys/{made[0]['id']}/take_over"), 403, param="scopes")
    assert_error(thief.call("POST", f"/api/v1/api_keys/{stolen['id']}/take_over"), 409, "made_with_it")
    owner.call("POST", f"/api/v1/api_keys/{made[0]['id']}/take_over", 200)
    for key in keys:
        key.get("/api/v1/projects")
    owner.call("DELETE", f"/api/v1/api_keys/{stolen['id']}", 204)
    eventually(lambda: refused(keys[1]), SOON)
    keys[0].get("/api/v1/projects")


def test_keys_are_not_made_with_one_another_without_end(acme):
    maker, _ = acme
    for depth in range(20):
        answer = maker.call("POST", "/api/v1/api_keys", json={"name": f"n{depth}", "scopes": ["api_keys:write"]})
        if answer.status_code != 201:
            break
        maker = maker.with_key(answer.json()["key"])
    assert_error(answer, 409, "too_deep")
    assert depth == 7, "eight keys, with the first"


def test_a_token_makes_no_key_beyond_itself(acme):
    owner, _ = acme
    body = {"permissions": ["api_keys:write", "projects:read"]}
    token = owner.with_key(owner.call("POST", "/api/v1/tokens", 201, json=body).json()["token"])
    for scopes in (["*"], ["users:read"]):
        assert_error(token.call("POST", "/api/v1/api_keys", json={"name": "k", "scopes": scopes}), 403, param="scopes")
    made = token.create("api_keys", {"name": "k", "scopes": ["projects:read"]})
    owner.with_key(made["key"]).get("/api/v1/projects")


def end_user(owner: Api, issuer: dict[str, Any], sub: str, secret: str = SECRET) -> Api:
    claims = {"iss": issuer["issuer"], "aud": issuer["audience"], "sub": sub, "exp": 4_000_000_000}
    return owner.with_key(jwt.encode(claims, secret, "HS256"))


def an_issuer(owner: Api, name: str, role: str) -> dict[str, Any]:
    body = {"name": name, "issuer": f"https://{name}.example.com", "audience": "app", "secret": SECRET}
    return owner.create("token_issuers", body | {"role": role, "auto_create_users": True})


def test_an_end_user_makes_no_key(acme, name):
    owner, _ = acme
    role = name("maker")
    owner.create("roles", {"name": role, "permissions": ["api_keys:write", "projects:read"]})
    visitor = end_user(owner, an_issuer(owner, name("app"), role), "visitor")
    visitor.get("/api/v1/projects")
    body = {"name": "k", "scopes": ["projects:read"]}
    assert_error(visitor.call("POST", "/api/v1/api_keys", json=body), 403, "not_exchangeable")


def test_an_issuer_cannot_be_changed_with_fewer_permissions_than_its_end_users(acme, name):
    owner, slug = acme
    issuer = an_issuer(owner, name("app"), "developer")
    user_issuer = an_issuer(owner, name("users"), "user")
    user = ["gateway:call", "messages:read", "messages:write", "turns:read", "turns:write", "tool_calls:read"]
    user += ["user_preferences:read", "user_preferences:write", *OWN]
    ann = Member(owner, slug, name("ann"), ["token_issuers:write", "token_issuers:read", *user])
    mine = "a-secret-of-anns-own-of-32-bytes-or-more"
    for changed in ({"secret": mine}, {"user_claim": "email"}, {"is_active": True}):
        answer = ann.browser.call("PATCH", f"/api/v1/token_issuers/{issuer['id']}", json=changed)
        assert_error(answer, 403, param="role")
        # she has what the role has, but sees her own sessions alone: its end users are whoever she says
        assert_error(ann.browser.call("PATCH", f"/api/v1/token_issuers/{user_issuer['id']}", json=changed), 403, param="role")
    body = {"name": "hers", "issuer": "https://hers.example.com", "audience": "app", "secret": mine}
    assert_error(ann.browser.call("POST", "/api/v1/token_issuers", json=body), 403, param="role")
    assert_error(end_user(owner, issuer, "x", mine).call("GET", "/api/v1/projects"), 401)


def test_a_role_is_not_given_by_leaving_it_out(acme, name):
    owner, slug = acme
    ann = Member(owner, slug, name("ann"), ["users:write", "users:read"])
    body = {"username": "new", "email": "new@example.com", "password": PASSWORD}
    assert_error(ann.browser.call("POST", "/api/v1/users", json=body), 403, param="roles")
    assert not [user for user in owner.all("users") if user["username"] == "new"]


def test_nobody_becomes_somebody_who_sees_more(acme, name):
    owner, slug = acme
    user = next(role for role in owner.all("roles") if role["name"] == "user")["permissions"]
    ann = Member(owner, slug, name("ann"), ["users:write", "users:read", *user])
    bob = Member(owner, slug, name("bob"), roles=["user"])
    url = f"/api/v1/users/{bob.id}"
    assert_error(ann.browser.call("POST", f"{url}/password_reset"), 403, "missing_permission")
    for changed in ({"password": "i-am-bob-now-12345"}, {"external_id": "anns-own"}):
        assert_error(ann.browser.call("PATCH", url, json=changed), 403, "missing_permission")
    ann.browser.call("PATCH", url, 200, json={"full_name": "Bob"})


def test_a_projects_key_is_for_who_may_send(acme, name):
    owner, slug = acme
    ann = Member(owner, slug, name("ann"), ["projects:write", "projects:read"])
    made = ann.browser.call("POST", "/api/v1/projects", 201, json={"name": name("shop")}).json()
    assert made["ingest_key"] is None
    assert_error(ann.browser.call("POST", f"/api/v1/projects/{made['id']}/rotate_key", json={}), 403, "missing_permission")
    assert owner.create("projects", {"name": name("shop")})["ingest_key"].startswith("loam_pk_")
