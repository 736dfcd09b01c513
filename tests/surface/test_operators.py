"""Operators acting in other tenants, and suspended or archived tenants."""

from __future__ import annotations

import uuid

import pytest

from support.api import assert_error, eventually
from support.browser import Browser
from support.openapi import PUBLIC, operations

PASSWORD = "a-long-enough-password-1"
SOON = 1.5


@pytest.fixture
def opened(api, name) -> dict:
    """A tenant with a project, and its own key."""
    made = api.create("tenants", {"slug": name("opened")})
    mine = api.with_key(made["api_key"]["key"])
    mine.create("projects", {"name": "theirs"})
    return made | {"api": mine}


def within(tenant: dict | str) -> dict:
    return {"headers": {"x-loam-tenant": tenant if isinstance(tenant, str) else tenant["slug"]}}


def test_an_operator_acts_in_the_tenant_it_names_and_its_trail_says_so(api, opened):
    for named in (opened["slug"], opened["id"]):
        rows = api.call("GET", "/api/v1/projects", 200, **within(named)).json()["data"]
        assert [row["name"] for row in rows] == ["theirs"]
    project = api.call("POST", "/api/v1/projects", 201, json={"name": "by-the-operator"}, **within(opened)).json()
    trail = opened["api"].all("audit_logs")
    openings = [row for row in trail if (row["resource_type"], row["action"]) == ("tenants", "open")]
    assert len(openings) == 1, "once an hour"
    (change,) = [row for row in trail if row["resource_id"] == project["id"]]
    me = api.get("/api/v1/session")["actor"]
    assert openings[0]["actor"] == change["actor"] == me


def test_the_opening_is_on_record_once_over_a_restart(deployment, opened):
    deployment.api.call("GET", "/api/v1/projects", 200, **within(opened))
    deployment.loam.restart()
    deployment.api.call("GET", "/api/v1/projects", 200, **within(opened))
    openings = opened["api"].all("audit_logs", resource_type="tenants", action="open")
    assert 1 <= len(openings) <= 2, "twice if the hour has just turned"
    assert len({row["changes"]["hour"] for row in openings}) == len(openings)


def test_a_key_needs_the_permission_to_open_and_those_it_uses(api, opened):
    some = {"name": "support", "scopes": ["tenants:open", "projects:read"]}
    support = api.with_key(api.create("api_keys", some)["key"])
    support.call("GET", "/api/v1/projects", 200, **within(opened))
    assert_error(support.call("GET", "/api/v1/users", **within(opened)), 403, "missing_permission")
    without = api.with_key(api.create("api_keys", {"name": "none", "scopes": ["projects:read"]})["key"])
    assert_error(without.call("GET", "/api/v1/projects", **within(opened)), 403, "not_an_operator")


def test_a_user_needs_the_role_of_an_operator(api, opened, name):
    for role, status in (("operator", 200), ("owner", 403), ("admin", 403)):
        user = name(role)
        body = {"username": user, "email": f"{user}@example.com", "password": PASSWORD, "roles": [role]}
        api.create("users", body)
        browser = Browser(api.url)
        browser.log_in(username=user, password=PASSWORD)
        answer = browser.call("GET", "/api/v1/projects", **within(opened))
        assert answer.status_code == status, f"{role}: {answer.text}"
        if status == 403:
            assert_error(answer, 403, "not_an_operator")


def test_nobody_else_opens_a_tenant_nor_learns_whether_there_is_one(api, opened, name):
    other = api.with_key(api.create("tenants", {"slug": name("other")})["api_key"]["key"])
    for named in (opened["slug"], opened["id"], "no-such-tenant", "default", ""):
        assert_error(other.call("GET", "/api/v1/projects", **within(named)), 403, "not_an_operator")
    token = api.call("POST", "/api/v1/tokens", 201, json={"permissions": ["projects:read"]}).json()["token"]
    assert_error(api.with_key(token).call("GET", "/api/v1/projects", **within(opened)), 403, "not_an_operator")
    assert_error(api.call("GET", "/api/v1/projects", **within("no-such-tenant")), 404, "not_found")
    assert_error(api.call("GET", "/api/v1/projects", **within(str(uuid.uuid4()))), 404, "not_found")


def test_an_opened_tenant_is_all_that_is_open(api, opened):
    assert_error(api.call("GET", "/api/v1/tenants", **within(opened)), 403)
    assert_error(api.call("POST", "/api/v1/signing_keys/rotate", **within(opened)), 403)
    assert_error(api.call("POST", "/api/v1/tokens", json={}, **within(opened)), 403, "not_exchangeable")
    body = {"username": "op", "email": "op@example.com", "roles": ["operator"]}
    assert_error(api.call("POST", "/api/v1/users", json=body, **within(opened)), 403)
    assert api.call("GET", "/api/v1/session", 200, **within(opened)).json()["operator"] is True


@pytest.fixture
def credentials(api, opened) -> dict[str, object]:
    """A caller of each kind in that tenant."""
    mine = opened["api"]
    mine.create("users", {"username": "ann", "email": "ann@example.com", "password": PASSWORD, "roles": ["owner"]})
    browser = Browser(api.url)
    browser.log_in(tenant=opened["slug"], username="ann", password=PASSWORD)
    token = mine.with_key(mine.call("POST", "/api/v1/tokens", 201, json={}).json()["token"])
    return {"key": mine, "session": browser, "token": token}


def test_a_suspended_tenant_only_reads_whatever_the_credential(api, opened, credentials):
    api.call("PATCH", f"/api/v1/tenants/{opened['id']}", 200, json={"status": "suspended"})
    for kind, caller in credentials.items():
        caller.call("GET", "/api/v1/projects", 200)
        change = caller.call("POST", "/api/v1/projects", json={"name": f"by-{kind}"})
        assert_error(change, 403, "tenant_suspended")
        call = caller.call("POST", "/v1/chat/completions", json={"model": "x/y", "messages": []})
        assert_error(call, 403, "tenant_suspended")
        assert_error(caller.call("POST", "/api/v1/tokens", json={}), 403, "tenant_suspended")
    operator = api.call("POST", "/api/v1/projects", json={"name": "by-operator"}, **within(opened))
    assert_error(operator, 403, "tenant_suspended")
    browser = credentials["session"]
    password = {"old_password": PASSWORD, "new_password": "another-password-2"}
    assert_error(browser.call("POST", "/api/v1/session/password", json=password), 403, "tenant_suspended")
    browser.call("POST", "/api/v1/logout", 204)
    api.call("PATCH", f"/api/v1/tenants/{opened['id']}", 200, json={"status": "active"})
    credentials["key"].create("projects", {"name": "again"})


def test_an_archived_tenant_does_nothing_but_export(api, opened, credentials):
    api.call("PATCH", f"/api/v1/tenants/{opened['id']}", 200, json={"status": "archived"})
    document = api.get("/openapi.json")
    for operation in operations(document):
        if operation.path in PUBLIC or operation.document["operationId"].endswith("_export"):
            continue
        for caller in credentials.values():
            answer = caller.call(operation.method, operation.url(str(uuid.uuid4())), json={})
            assert_error(answer, 403, "tenant_archived")
    assert_error(api.call("GET", "/api/v1/projects", **within(opened)), 403, "tenant_archived")
    Browser(api.url).log_in(403, tenant=opened["slug"], username="ann", password=PASSWORD)
    Browser(api.url).log_in(401, tenant=opened["slug"], username="ann", password="a-wrong-password")


def test_the_operators_own_tenant_stays_active(deployment, api):
    home = api.get("/api/v1/session")["tenant_id"]
    for status in ("suspended", "archived"):
        answer = api.call("PATCH", f"/api/v1/tenants/{home}", json={"status": status})
        assert_error(answer, 400, param="status")
    done = deployment.loam.cli("tenant", "suspend", "default", check=False)
    assert done.returncode == 1
    eventually(lambda: api.call("GET", "/api/v1/projects").status_code == 200, SOON)
