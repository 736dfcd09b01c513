"""Preferences: declared ones with defaults, free ones, and access by end users."""

from __future__ import annotations

import jwt
import pytest

from support.api import Api, assert_error, eventually

SECRET = "a-shared-secret-of-more-than-32-bytes"
NOTIFICATIONS = {"email": True}


def make_user(api: Api, called: str, **fields) -> str:
    return api.create("users", {"username": called, "email": f"{called}@example.com"} | fields)["id"]


@pytest.fixture
def user(api, name) -> str:
    return make_user(api, name("prefers"))


def path(user: str, key: str | None = None) -> str:
    return f"/api/v1/users/{user}/preferences" + (f"/{key}" if key else "")


def put(api: Api, user: str, key: str, value, expect: int | None = 200, **options):
    return api.call("PUT", path(user, key), expect, json={"value": value}, **options)


def end_user(api: Api, called: str, sub: str) -> Api:
    """An end user of an application that signs with a secret."""
    issuer = {"name": called, "issuer": f"https://{called}.example.com", "audience": "chat", "secret": SECRET}
    api.create("token_issuers", issuer)
    claims = {"iss": issuer["issuer"], "aud": "chat", "sub": sub, "exp": 4102444800}
    return api.with_key(jwt.encode(claims, SECRET, "HS256"))


def test_declared_preferences_are_there_before_they_are_set(api, user):
    held = {row["key"]: row for row in api.get(path(user))["data"]}
    assert held.keys() == {"ai_settings", "notification_prefs"}
    assert held["notification_prefs"]["value"] == NOTIFICATIONS
    assert held["ai_settings"]["value"]["confidence_threshold"] == 0.7
    assert all(row["is_default"] and row["updated_at"] is None and row["user_id"] == user for row in held.values())
    assert api.call("GET", path(user, "ai_settings"), 200).headers["etag"] == '"0"'


def test_what_a_declared_preference_leaves_out_is_the_default(api, user):
    made = put(api, user, "notification_prefs", {"email": False}).json()
    assert made["value"] == NOTIFICATIONS | {"email": False}
    assert not made["is_default"]
    put(api, user, "ai_settings", {"confidence_threshold": 0})
    assert api.get(path(user, "ai_settings"))["value"]["confidence_threshold"] == 0
    api.call("DELETE", path(user, "ai_settings"), 204)
    assert api.get(path(user, "ai_settings"))["value"]["confidence_threshold"] == 0.7
    assert_error(api.call("DELETE", path(user, "ai_settings")), 404)


@pytest.mark.parametrize(
    ("key", "value", "param"),
    [
        ("notification_prefs", {"email": "yes"}, "value.email"),
        ("notification_prefs", {"pigeon": True}, "value.pigeon"),
        ("notification_prefs", [True], "value"),
        ("ai_settings", {"confidence_threshold": 1.01}, "value.confidence_threshold"),
        ("ai_settings", {"confidence_threshold": -0.1}, "value.confidence_threshold"),
        ("ai_settings", {"confidence_threshold": None}, "value.confidence_threshold"),
        ("ai_settings", None, "value"),
        ("free", "x" * 65_537, "value"),
        ("free", "nul\0", "value"),
        ("Not A Key", 1, "key"),
        ("k" * 101, 1, "key"),
    ],
)
def test_what_does_not_fit_is_refused_by_name_and_changes_nothing(api, user, key, value, param):
    put(api, user, "ai_settings", {"confidence_threshold": 0.5})
    before = api.get(path(user))
    assert_error(put(api, user, key, value, None), 400, param=param)
    assert api.get(path(user)) == before


def test_a_body_without_a_value_is_refused(api, user):
    for body in ({}, {"value": 1, "more": 2}, [1]):
        assert_error(api.call("PUT", path(user, "free"), json=body), 400)
    assert_error(api.call("GET", path(user, "free")), 404)


@pytest.mark.parametrize("value", [None, True, 0, 1.5, "暗色", [1, {"a": []}], {"深": {"色": [None]}}, "x" * 60_000])
def test_a_free_preference_comes_back_as_it_was_set(api, user, value):
    put(api, user, "theme.main", value)
    for _ in range(2):
        assert api.get(path(user, "theme.main"))["value"] == value
    assert [row["key"] for row in api.get(path(user))["data"]] == ["ai_settings", "notification_prefs", "theme.main"]


def test_a_change_of_what_was_changed_meanwhile_is_refused(api, user):
    first = put(api, user, "theme", "dark").headers["etag"]
    put(api, user, "theme", "light", headers={"if-match": first})
    assert_error(put(api, user, "theme", "blue", None, headers={"if-match": first}), 412)
    assert_error(api.call("DELETE", path(user, "theme"), headers={"if-match": first}), 412)
    assert_error(put(api, user, "never-set", 1, None, headers={"if-match": first}), 412)
    assert api.get(path(user, "theme"))["value"] == "light"
    put(api, user, "only-if-new", 1, headers={"if-match": '"0"'})
    assert_error(put(api, user, "only-if-new", 2, None, headers={"if-match": '"0"'}), 412)
    now = api.call("GET", path(user, "theme"), 200).headers["etag"]
    api.call("DELETE", path(user, "theme"), 204, headers={"if-match": now})


def test_a_change_is_on_the_audit_trail_without_what_was_set(api, user):
    put(api, user, "diary", "what I would not tell")
    rows = eventually(lambda: api.get("/api/v1/audit_logs", resource_type="user_preferences", resource_id=user)["data"])
    assert rows[0]["action"] == "set"
    assert "diary" in str(rows[0])
    assert "would not tell" not in str(rows)


def test_preferences_go_with_their_user(api, name):
    user = make_user(api, name("leaves"))
    put(api, user, "theme", "dark")
    assert api.get(path(user, "theme"))["value"] == "dark"
    api.call("DELETE", f"/api/v1/users/{user}", 204)
    assert_error(api.call("GET", path(user)), 404)
    assert_error(put(api, user, "theme", "dark", None), 404)


def test_an_end_user_has_its_own_and_no_others(tenant, name):
    sub = name("customer")
    mine, theirs = make_user(tenant, sub, external_id=sub), make_user(tenant, name("neighbour"))
    put(tenant, theirs, "theme", "dark")
    browser = end_user(tenant, name("shop"), sub)
    put(browser, "me", "theme", "light")
    assert browser.get(path("me", "theme")) == browser.get(path(mine, "theme")) == tenant.get(path(mine, "theme"))
    assert {row["user_id"] for row in browser.get(path("me"))["data"]} == {mine}
    for method, key, body in [
        ("GET", None, None),
        ("GET", "theme", None),
        ("PUT", "theme", {"value": 1}),
        ("DELETE", "theme", None),
    ]:
        assert_error(browser.call(method, path(theirs, key), **({"json": body} if body else {})), 404)
    assert tenant.get(path(theirs, "theme"))["value"] == "dark"


def test_a_key_of_nobodys_has_to_name_the_user(tenant):
    assert_error(tenant.call("GET", path("me")), 400, param="user_id")
    assert_error(tenant.call("GET", path("nobody")), 400)


def test_another_tenant_sees_no_user(deployment, api, user, name):
    stranger = deployment.tenant(name("stranger"))
    assert_error(stranger.call("GET", path(user)), 404)
    assert_error(put(stranger, user, "theme", "dark", None), 404)
    assert [row["key"] for row in api.get(path(user))["data"]] == ["ai_settings", "notification_prefs"]
