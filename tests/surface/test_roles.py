"""Custom roles: what they allow, no delegation beyond one's own permissions, and a remaining owner."""

from __future__ import annotations

import threading

import pytest

from support.api import assert_error, eventually
from support.browser import Browser

PASSWORD = "a-long-enough-password-1"
SOON = 1.5


def make_user(api, name: str, *roles: str) -> dict:
    body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD, "roles": list(roles)}
    return api.create("users", body)


def slug_of(api) -> str:
    return api.get(f"/api/v1/tenants/{api.get('/api/v1/session')['tenant_id']}")["slug"]


def logged_in(api, username: str) -> Browser:
    browser = Browser(api.url)
    browser.log_in(tenant=slug_of(api), username=username, password=PASSWORD)
    return browser


def test_a_role_opens_what_it_says_at_once(tenant):
    role = tenant.create("roles", {"name": "librarian", "permissions": ["projects:read"]})
    make_user(tenant, "lib", "librarian", "viewer")
    browser = logged_in(tenant, "lib")
    browser.call("GET", "/api/v1/projects", 200)
    assert_error(browser.call("GET", "/api/v1/users"), 403, "missing_permission")
    change = {"permissions": ["projects:read", "users:read"]}
    tenant.call("PATCH", f"/api/v1/roles/{role['id']}", 200, json=change)
    browser.call("GET", "/api/v1/users", 200)
    tenant.call("PATCH", f"/api/v1/roles/{role['id']}", 200, json={"permissions": ["gateway:call"]})
    assert_error(browser.call("GET", "/api/v1/users"), 403)
    browser.call("GET", "/api/v1/projects", 200)


def test_a_role_changed_on_the_command_line_holds_within_a_second(deployment, tenant):
    where = ("--tenant", slug_of(tenant))
    loam = deployment.loam
    loam.cli_json("role", "create", *where, "--name", "reader", "--permission", "projects:read")
    make_user(tenant, "reader", "reader")
    browser = logged_in(tenant, "reader")
    browser.call("GET", "/api/v1/projects", 200)
    loam.cli_json("role", "update", "reader", *where, "--permission", "users:read")
    eventually(lambda: browser.call("GET", "/api/v1/projects").status_code == 403, SOON)
    browser.call("GET", "/api/v1/users", 200)
    shown = loam.cli_json("role", "show", "reader", *where)
    assert shown["permissions"] == ["users:read"]
    assert "reader" in [row["name"] for row in loam.cli_json("role", "list", *where)]
    refused = loam.cli("role", "delete", "reader", *where, check=False)
    assert refused.returncode == 1
    assert "user `reader`" in refused.stderr
    assert loam.cli("role", "delete", "owner", *where, check=False).returncode == 1


def test_the_built_in_roles_are_listed_last_and_never_changed(tenant):
    made = [tenant.create("roles", {"name": f"r{n}", "permissions": ["gateway:call"]})["id"] for n in range(3)]
    roles = tenant.all("roles", limit=2)
    assert [role["id"] for role in roles[:3]] == made[::-1]
    built_in = [role for role in roles if role["built_in"]]
    assert [role["name"] for role in built_in] == [role["name"] for role in roles[3:]]
    assert {"operator", "owner", "admin", "developer", "analyst", "viewer", "user"} == {r["name"] for r in built_in}
    for role in built_in:
        assert tenant.get(f"/api/v1/roles/{role['id']}") == role
        changed = tenant.call("PATCH", f"/api/v1/roles/{role['id']}", json={"permissions": ["*"]})
        assert_error(changed, 409, "built_in_role")
        assert_error(tenant.call("DELETE", f"/api/v1/roles/{role['id']}"), 409, "built_in_role")
    taken = tenant.call("POST", "/api/v1/roles", json={"name": "owner", "permissions": ["gateway:call"]})
    assert_error(taken, 409, "already_exists")


def test_nobody_hands_on_more_than_they_have(tenant):
    tenant.create("roles", {"name": "helpdesk", "permissions": ["users:read", "users:write", "roles:read", "roles:write"]})
    tenant.create("roles", {"name": "prices", "permissions": ["model_prices:write"]})
    make_user(tenant, "help", "helpdesk")
    victim = make_user(tenant, "victim", "user")
    browser = logged_in(tenant, "help")
    more = {"name": "more", "permissions": ["users:read", "audit_logs:read"]}
    error = assert_error(browser.call("POST", "/api/v1/roles", json=more), 403, "missing_permission")
    assert "audit_logs:read" in error["message"]
    assert_error(browser.call("POST", "/api/v1/roles", json={"name": "all", "permissions": ["*"]}), 403)
    for role in ("prices", "owner", "admin"):
        body = {"username": role, "email": f"{role}@example.com", "roles": [role]}
        assert_error(browser.call("POST", "/api/v1/users", json=body), 403, "missing_permission")
    # A key that may call models may also do what the help desk may not.
    assert_error(browser.call("PATCH", f"/api/v1/users/{victim['id']}", json={"is_active": False}), 403)
    unknown = tenant.call("PATCH", f"/api/v1/users/{victim['id']}", json={"roles": ["user", "no-such"]})
    assert_error(unknown, 400, param="roles[1]")


def test_only_operators_make_operators(api, tenant, name):
    body = {"username": "op", "email": "op@example.com", "roles": ["operator"]}
    assert_error(tenant.call("POST", "/api/v1/users", json=body), 403)
    owner = name("home-owner")
    make_user(api, owner, "owner")
    browser = Browser(api.url)
    browser.log_in(username=owner, password=PASSWORD)
    assert_error(browser.call("POST", "/api/v1/users", json=body), 403)
    assert_error(browser.call("GET", "/api/v1/tenants"), 403)
    assert_error(browser.call("POST", "/api/v1/tenants", json={"slug": name("mine")}), 403)
    for scopes in (["*"], ["tenants:open"], ["tenants:write"], ["signing_keys:write"]):
        key = browser.call("POST", "/api/v1/api_keys", json={"name": "ladder", "scopes": scopes})
        assert_error(key, 403, "missing_permission")


def test_a_role_in_use_is_not_deleted_and_it_is_said_by_whom(tenant):
    role = tenant.create("roles", {"name": "used", "permissions": ["gateway:call"]})
    user = make_user(tenant, "holder", "used")
    error = assert_error(tenant.call("DELETE", f"/api/v1/roles/{role['id']}"), 409, "in_use")
    assert "user `holder`" in error["message"]
    tenant.call("PATCH", f"/api/v1/users/{user['id']}", 200, json={"roles": ["user"]})
    issuer = {"name": "app", "issuer": f"https://{role['id']}", "audience": "a", "secret": "s" * 32, "role": "used"}
    made = tenant.create("token_issuers", issuer)
    error = assert_error(tenant.call("DELETE", f"/api/v1/roles/{role['id']}"), 409, "in_use")
    assert "token issuer `app`" in error["message"]
    tenant.call("DELETE", f"/api/v1/token_issuers/{made['id']}", 204)
    tenant.call("DELETE", f"/api/v1/roles/{role['id']}", 204)


LOCK_OUTS = {
    "deactivated": ("PATCH", {"is_active": False}),
    "demoted": ("PATCH", {"roles": ["admin"]}),
    "deleted": ("DELETE", None),
}


@pytest.mark.parametrize("way", LOCK_OUTS)
def test_a_tenants_last_owner_stays(tenant, way):
    method, body = LOCK_OUTS[way]
    user = make_user(tenant, "only", "owner")
    make_user(tenant, "helper", "admin")
    url = f"/api/v1/users/{user['id']}"
    error = assert_error(tenant.call(method, url, json=body), 409, "last_owner")
    assert "owner" in error["message"]
    assert tenant.get(url) == user, "nothing was changed"
    second = make_user(tenant, "second", "owner")
    assert tenant.call(method, url, json=body).is_success
    assert_error(tenant.call("DELETE", f"/api/v1/users/{second['id']}"), 409, "last_owner")


def test_a_role_that_makes_the_last_owners_stays_as_it_is(tenant):
    role = tenant.create("roles", {"name": "chief", "permissions": ["*"]})
    chief = make_user(tenant, "chief", "chief")
    url = f"/api/v1/roles/{role['id']}"
    assert_error(tenant.call("PATCH", url, json={"permissions": ["users:read"]}), 409, "last_owner")
    assert tenant.get(url) == role, "nothing was changed"
    tenant.call("PATCH", url, 200, json={"description": "who answers for it"})
    make_user(tenant, "second", "owner")
    tenant.call("PATCH", url, 200, json={"permissions": ["users:read"]})
    tenant.call("DELETE", f"/api/v1/users/{chief['id']}", 204)


def test_two_owners_who_remove_each_other_at_once_do_not_both_succeed(tenant):
    left = make_user(tenant, "first", "owner")
    for attempt in range(8):
        pair = [left, make_user(tenant, f"next-{attempt}", "owner")]
        statuses: list[int] = []
        start = threading.Barrier(2)

        def remove(user: dict, start: threading.Barrier = start, statuses: list[int] = statuses) -> None:
            api = tenant.with_key(tenant.key)
            api.get("/readyz")
            start.wait()
            statuses.append(api.call("PATCH", f"/api/v1/users/{user['id']}", json={"is_active": False}).status_code)

        threads = [threading.Thread(target=remove, args=(user,)) for user in pair]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert sorted(statuses) == [200, 409], f"attempt {attempt}"
        (left,) = [user for user in pair if tenant.get(f"/api/v1/users/{user['id']}")["is_active"]]


def test_the_last_operator_stays(api):
    operators = [user for user in api.all("users") if "operator" in user["roles"] and user["is_active"]]
    assert len(operators) == 1
    url = f"/api/v1/users/{operators[0]['id']}"
    assert_error(api.call("PATCH", url, json={"roles": ["owner"]}), 409, "last_owner")
    assert_error(api.call("DELETE", url), 409, "last_owner")


def test_a_users_key_never_may_more_than_the_user_at_the_time(tenant):
    user = make_user(tenant, "keyholder", "developer")
    scopes = ["projects:write", "projects:read", "users:read"]
    key = tenant.create("api_keys", {"name": "k", "scopes": scopes, "user_id": user["id"]})
    mine = tenant.with_key(key["key"])
    mine.create("projects", {"name": "before"})
    assert_error(mine.call("GET", "/api/v1/users"), 403, "missing_permission")
    tenant.call("PATCH", f"/api/v1/users/{user['id']}", 200, json={"roles": ["viewer"]})
    assert_error(mine.call("POST", "/api/v1/projects", json={"name": "after"}), 403)
    mine.get("/api/v1/projects")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"name": "Big", "permissions": ["gateway:call"]}, "name"),
        ({"name": "", "permissions": ["gateway:call"]}, "name"),
        ({"name": "ok", "permissions": []}, "permissions"),
        ({"name": "ok", "permissions": ["gateway:call", "no:such"]}, "permissions[1]"),
        ({"name": "ok", "permissions": "gateway:call"}, "permissions"),
        ({"name": "ok", "permissions": ["gateway:call"], "built_in": True}, "built_in"),
        ({"name": "ok", "permissions": ["gateway:call"], "description": "x" * 1001}, "description"),
    ],
)
def test_a_role_that_makes_no_sense_is_refused(tenant, body, param):
    assert_error(tenant.call("POST", "/api/v1/roles", json=body), 400, param=param)
    assert not [role for role in tenant.all("roles") if not role["built_in"]]


def test_a_role_changed_meanwhile_is_not_overwritten(tenant):
    role = tenant.create("roles", {"name": "versioned", "permissions": ["gateway:call"]})
    url = f"/api/v1/roles/{role['id']}"
    tag = tenant.call("GET", url, 200).headers["etag"]
    tenant.call("PATCH", url, 200, json={"description": "first"}, headers={"if-match": tag})
    stale = tenant.call("PATCH", url, json={"description": "second"}, headers={"if-match": tag})
    assert_error(stale, 412, "stale_version")
    assert [row["action"] for row in tenant.all("audit_logs", resource_type="roles")] == ["update", "create"]
