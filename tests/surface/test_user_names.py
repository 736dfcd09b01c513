"""User names and e-mail addresses that look the same are the same."""

from __future__ import annotations

import unicodedata

from support.api import Api, assert_error

PASSWORD = "a long password"


def log_in(api: Api, tenant: str, expect: int = 200, **who: str) -> None:
    api.with_key(None).call("POST", "/api/v1/login", expect, json=who | {"tenant": tenant, "password": PASSWORD})


def test_addresses_are_equal_whatever_their_case(api: Api, name) -> None:
    local = name("Ann")
    made = api.create("users", {"username": local, "email": f"{local}@Example.COM", "password": PASSWORD})
    assert made["email"] == f"{local.lower()}@example.com"
    for email in (f"{local}@example.com", f"{local.upper()}@EXAMPLE.com"):
        assert_error(api.call("POST", "/api/v1/users", None, json={"username": name("x"), "email": email}), 409, "already_exists")
        log_in(api, "default", email=email)
    other = api.create("users", {"username": name("other"), "email": f"{name('other')}@example.com"})
    change = {"email": f"{local.upper()}@example.com"}
    assert_error(api.call("PATCH", f"/api/v1/users/{other['id']}", None, json=change), 409, "already_exists")
    own = api.call("PATCH", f"/api/v1/users/{made['id']}", 200, json=change).json()
    assert own["email"] == made["email"], "one's own address in another case is the same"


def test_user_names_are_equal_in_any_form_of_unicode(api: Api, name) -> None:
    composed = unicodedata.normalize("NFC", name("zoë-ångström"))
    decomposed = unicodedata.normalize("NFD", composed)
    made = api.create("users", {"username": decomposed, "email": f"{name('zoe')}@example.com", "password": PASSWORD})
    assert made["username"] == composed
    again = {"username": composed, "email": f"{name('zoe')}@example.com"}
    assert_error(api.call("POST", "/api/v1/users", None, json=again), 409, "already_exists")
    for form in (composed, decomposed):
        assert [user["id"] for user in api.all("users", username=form)] == [made["id"]]
        log_in(api, "default", username=form)
