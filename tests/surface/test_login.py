"""Logging in with a browser: cookies, CSRF, sessions, passwords and throttling."""

from __future__ import annotations

import time

import bcrypt
import httpx
import pytest

from services import Loam
from support.api import Api, assert_error, eventually
from support.browser import Browser
from support.deployment import deploy

PASSWORD = "a-long-enough-password-1"
SOON = 1.5


def make_user(api, name: str, **fields) -> dict:
    return api.create("users", {"username": name, "email": f"{name}@example.com", "password": PASSWORD} | fields)


@pytest.fixture
def ann(api, name) -> dict:
    """An administrator of the tenant `default`."""
    return make_user(api, name("ann"), roles=["admin"])


@pytest.fixture
def browser(api, ann) -> Browser:
    """A logged-in browser of the administrator."""
    made = Browser(api.url)
    made.log_in(username=ann["username"], password=PASSWORD)
    return made


def test_a_log_in_opens_what_the_users_roles_open(api, ann):
    browser = Browser(api.url)
    answer = browser.log_in(email=ann["email"], password=PASSWORD)
    assert answer.json()["user"]["id"] == ann["id"]
    assert browser.cookie not in answer.text, "the session is in the cookie alone"
    session = browser.call("GET", "/api/v1/session", 200).json()
    assert session["actor"] == f"user:{ann['id']}"
    assert "users:write" in session["permissions"]
    assert session["csrf_token"] == browser.csrf
    tenant = api.get(f"/api/v1/tenants/{session['tenant_id']}")
    assert (session["tenant_slug"], session["tenant_name"]) == (tenant["slug"], tenant["name"])
    unprivileged = api.with_key(api.create("api_keys", {"name": f"sees-{ann['username']}", "scopes": ["gateway:call"]})["key"])
    assert unprivileged.get("/api/v1/session")["tenant_slug"] == tenant["slug"], "no permission is needed to know the own tenant"
    browser.call("GET", "/api/v1/users", 200)
    assert_error(browser.call("GET", "/api/v1/tenants"), 403, "missing_permission")


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(api, ann):
    answer = Browser(api.url).log_in(username=ann["username"], password=PASSWORD)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("loam_session=")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert "Domain" not in cookie
    origin = {"origin": "https://loam.example.com", "host": "loam.example.com"}
    credentials = {"username": ann["username"], "password": PASSWORD}
    secure = httpx.post(f"{api.url}/api/v1/login", json=credentials, headers=origin).headers["set-cookie"]
    assert secure.startswith("__Host-loam_session=")
    assert "; Secure" in secure


def test_a_change_needs_the_sessions_csrf_token(api, ann, browser, name):
    project = {"name": name("project")}
    other = Browser(api.url)
    other.log_in(username=ann["username"], password=PASSWORD)
    for wrong in (other.csrf, "", "nonsense", browser.csrf[:-1]):
        answer = browser.call("POST", "/api/v1/projects", json=project, headers={"x-loam-csrf": wrong})
        assert_error(answer, 403, "csrf_token_wrong")
    browser_without = httpx.post(f"{api.url}/api/v1/projects", json=project, cookies={"loam_session": browser.cookie})
    assert_error(browser_without, 403, "csrf_token_missing")
    browser.call("POST", "/api/v1/projects", 201, json=project)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example.com"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_page_of_another_site_changes_nothing(api, ann, browser, name, headers):
    answer = browser.call("POST", "/api/v1/projects", json={"name": name("project")}, headers=headers)
    assert_error(answer, 403, "other_origin")
    credentials = {"username": ann["username"], "password": PASSWORD}
    assert_error(httpx.post(f"{api.url}/api/v1/login", json=credentials, headers=headers), 403, "other_origin")
    same = {"origin": api.url, "sec-fetch-site": "same-origin"}
    browser.call("POST", "/api/v1/projects", 201, json={"name": name("project")}, headers=same)


def test_a_session_that_somebody_prepared_is_not_taken_on(api, ann):
    browser = Browser(api.url)
    browser.http.cookies.set("loam_session", "prepared")
    answer = browser.log_in(username=ann["username"], password=PASSWORD)
    first = answer.headers["set-cookie"].split(";")[0].removeprefix("loam_session=")
    assert first != "prepared"
    again = httpx.post(
        f"{api.url}/api/v1/login",
        json={"username": ann["username"], "password": PASSWORD},
        cookies={"loam_session": first},
    )
    assert first not in again.headers["set-cookie"]


def test_logging_out_ends_the_session(browser):
    cookie = browser.cookie
    answer = browser.call("POST", "/api/v1/logout", 204)
    assert "Max-Age=0" in answer.headers["set-cookie"]
    browser.http.cookies.set("loam_session", cookie)
    assert_error(browser.call("GET", "/api/v1/session"), 401, "invalid_session")


def test_a_session_is_listed_and_can_be_revoked(api, ann, browser):
    mine = api.all("login_sessions", user_id=ann["id"])
    assert len(mine) == 1
    assert mine[0]["ip_address"] == "127.0.0.1"
    assert browser.cookie not in str(mine)
    api.call("DELETE", f"/api/v1/login_sessions/{mine[0]['id']}", 204)
    assert_error(browser.call("GET", "/api/v1/session"), 401, "invalid_session")
    assert api.all("login_sessions", user_id=ann["id"])[0]["revoked_at"]


def test_a_user_who_is_deactivated_or_deleted_is_logged_out(api, name):
    for method, body in (("PATCH", {"is_active": False}), ("DELETE", None)):
        user = make_user(api, name("leaver"), roles=["admin"])
        browser = Browser(api.url)
        browser.log_in(username=user["username"], password=PASSWORD)
        browser.call("GET", "/api/v1/users", 200)
        api.call(method, f"/api/v1/users/{user['id']}", json=body)
        assert_error(browser.call("GET", "/api/v1/users"), 401)
        browser.log_in(401, username=user["username"], password=PASSWORD)


def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(api, ann, name):
    said = set()
    for who in (
        {"username": ann["username"], "password": "another-password"},
        {"username": name("nobody"), "password": PASSWORD},
        {"email": "nobody@example.com", "password": PASSWORD},
        {"tenant": name("no-tenant"), "username": ann["username"], "password": PASSWORD},
        {"username": ann["username"], "password": "x" * 5000},
    ):
        error = assert_error(httpx.post(f"{api.url}/api/v1/login", json=who), 401, "wrong_credentials")
        said.add(error["message"])
    assert len(said) == 1


def test_who_tries_passwords_has_to_wait(api, name):
    user = make_user(api, name("tried"))
    who = {"username": user["username"], "password": "wrong-password"}
    answers = [httpx.post(f"{api.url}/api/v1/login", json=who) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert_error(answers[-1], 429, "too_many_logins")
    assert int(answers[-1].headers["retry-after"]) >= 1
    # The right password has to wait too, so that attempts don't reveal whether it was right.
    right = {"username": user["username"], "password": PASSWORD}
    assert_error(httpx.post(f"{api.url}/api/v1/login", json=right), 429, "too_many_logins")
    time.sleep(int(answers[-1].headers["retry-after"]))
    eventually(lambda: httpx.post(f"{api.url}/api/v1/login", json=right).status_code == 200, 10, 0.5)


def test_an_address_that_tries_many_accounts_has_to_wait():
    with deploy("sqlite", env={"LOAM_IDENTITY__ADDRESS_FAILURES": "3"}) as deployment:
        tries = [{"username": f"somebody-{n}", "password": PASSWORD} for n in range(4)]
        statuses = [httpx.post(f"{deployment.api.url}/api/v1/login", json=who).status_code for who in tries]
        assert statuses == [401, 401, 401, 429]


def test_changing_the_password_ends_the_other_sessions(api, ann, browser):
    other = Browser(api.url)
    other.log_in(username=ann["username"], password=PASSWORD)
    change = {"old_password": "not-the-present-one", "new_password": "another-password-2"}
    assert_error(browser.call("POST", "/api/v1/session/password", json=change), 403, "wrong_password")
    same = {"old_password": PASSWORD, "new_password": PASSWORD}
    assert_error(browser.call("POST", "/api/v1/session/password", json=same), 400, param="new_password")
    short = {"old_password": PASSWORD, "new_password": "short"}
    assert_error(browser.call("POST", "/api/v1/session/password", json=short), 400, param="new_password")
    other.call("GET", "/api/v1/session", 200)
    change["old_password"] = PASSWORD
    browser.call("POST", "/api/v1/session/password", 204, json=change)
    browser.call("GET", "/api/v1/users", 200)
    assert_error(other.call("GET", "/api/v1/session"), 401)
    Browser(api.url).log_in(401, username=ann["username"], password=PASSWORD)
    Browser(api.url).log_in(username=ann["username"], password="another-password-2")


def test_a_reset_password_opens_nothing_but_its_own_change(api, ann, browser):
    given = api.call("POST", f"/api/v1/users/{ann['id']}/password_reset", 200).json()["password"]
    assert_error(browser.call("GET", "/api/v1/session"), 401)
    Browser(api.url).log_in(401, username=ann["username"], password=PASSWORD)
    fresh = Browser(api.url)
    assert fresh.log_in(username=ann["username"], password=given).json()["password_change_required"]
    assert_error(fresh.call("GET", "/api/v1/users"), 403, "password_change_required")
    assert fresh.call("GET", "/api/v1/session", 200).json()["password_change_required"]
    change = {"old_password": given, "new_password": "my-own-password-3"}
    fresh.call("POST", "/api/v1/session/password", 204, json=change)
    fresh.call("GET", "/api/v1/users", 200)
    assert given not in str(api.all("audit_logs"))


def test_an_administrator_gets_no_owners_account_by_a_reset(api, name):
    tenant = name("ladder")
    owner = api.with_key(api.create("tenants", {"slug": tenant})["api_key"]["key"])
    boss = make_user(owner, "boss", roles=["owner"])
    make_user(owner, "admin", roles=["admin"])
    browser = Browser(api.url)
    browser.log_in(tenant=tenant, username="admin", password=PASSWORD)
    url = f"/api/v1/users/{boss['id']}"
    assert_error(browser.call("POST", f"{url}/password_reset"), 403, "missing_permission")
    assert_error(browser.call("PATCH", url, json={"password": "i-am-the-boss-now"}), 403, "missing_permission")
    assert_error(browser.call("DELETE", url), 403, "missing_permission")
    Browser(api.url).log_in(tenant=tenant, username="boss", password=PASSWORD)


def test_an_imported_bcrypt_hash_lets_its_owner_in_and_is_kept_better_from_then_on(deployment, name):
    api = deployment.api
    for prefix in (b"2a", b"2b"):
        hashed = bcrypt.hashpw(b"from-elsewhere", bcrypt.gensalt(5, prefix)).decode()
        user = name("imported")
        body = {"username": user, "email": f"{user}@example.com", "password_hash": hashed}
        made = api.create("users", body)
        assert made["has_password"]
        assert hashed not in str(made)
        Browser(api.url).log_in(401, username=user, password="not-from-elsewhere")
        Browser(api.url).log_in(username=user, password="from-elsewhere")
        Browser(api.url).log_in(username=user, password="from-elsewhere")
        rows = api.all("audit_logs", resource_type="login_sessions", action="log_in")
        mine = [row["changes"] for row in rows if row["changes"].get("user_id") == made["id"]]
        assert [row["password_hash_upgraded"] for row in mine] == [False, True], "newest first"


@pytest.mark.parametrize("hashed", ["", "plain", "$2b$15$" + "x" * 53, "$2b$05$short", "$1$abc$def", "$argon2id$v=19$m=1"])
def test_a_hash_that_is_none_or_too_costly_is_refused(api, name, hashed):
    user = name("refused")
    body = {"username": user, "email": f"{user}@example.com", "password_hash": hashed}
    assert_error(api.call("POST", "/api/v1/users", json=body), 400, param="password_hash")
    both = body | {"password": PASSWORD, "password_hash": "$2b$05$" + "x" * 53}
    assert_error(api.call("POST", "/api/v1/users", json=both), 400, param="password_hash")


def test_an_idle_session_ends():
    with deploy("sqlite", env={"LOAM_IDENTITY__SESSION_IDLE_TIMEOUT": "1"}) as deployment:
        browser = Browser(deployment.api.url)
        browser.log_in(username="operator", password="correct-horse-battery-staple-7041")
        browser.call("GET", "/api/v1/users", 200)
        time.sleep(1.2)
        assert_error(browser.call("GET", "/api/v1/users"), 401, "invalid_session")


def test_a_session_survives_a_restart_and_ends_at_its_time():
    with deploy("sqlite", env={"LOAM_IDENTITY__SESSION_LIFETIME": "4"}) as deployment:
        browser = Browser(deployment.api.url)
        browser.log_in(username="operator", password="correct-horse-battery-staple-7041")
        deployment.loam.restart()
        browser.call("GET", "/api/v1/users", 200)
        eventually(lambda: browser.call("GET", "/api/v1/users").status_code == 401, 10, 0.3)


@pytest.mark.parametrize("value", ["http://loam.example.com/path", "loam.example.com", "ftp://x"])
def test_a_public_url_that_is_no_origin_is_refused(loam: Loam, value):
    loam._env["LOAM_IDENTITY__PUBLIC_URL"] = value
    loam.launch()
    assert loam.process.wait(20) not in (0, None)
    assert "public_url" in loam.process.log() + loam.process.output()


def test_a_session_is_no_bearer_token_and_a_key_is_no_cookie(api, browser):
    assert_error(api.with_key(browser.cookie).call("GET", "/api/v1/users"), 401)
    stranger = Browser(api.url)
    stranger.http.cookies.set("loam_session", api.key)
    assert_error(stranger.call("GET", "/api/v1/users"), 401)


def test_any_credential_is_told_who_it_is(api):
    session = api.get("/api/v1/session")
    assert session["actor"].startswith("api_key:")
    assert session["permissions"] == ["*"]
    assert session["operator"] is True
    assert session["csrf_token"] is None
    assert_error(api.call("POST", "/api/v1/logout"), 403, "not_logged_in")


def test_sessions_are_seen_and_revoked_on_the_command_line(deployment, ann, browser):
    listed = deployment.loam.cli_json("login-session", "list", "--user", ann["id"])
    deployment.loam.cli("login-session", "revoke", listed[0]["id"])
    eventually(lambda: browser.call("GET", "/api/v1/session").status_code == 401, SOON)
    given = deployment.loam.cli_json("user", "reset-password", ann["id"])["password"]
    Browser(deployment.api.url).log_in(username=ann["username"], password=given)


def test_who_calls_the_gateway_from_a_page_is_the_user(gateway, name):
    user = make_user(gateway.api, name("caller"))
    browser = Browser(gateway.api.url)
    browser.log_in(username=user["username"], password=PASSWORD)
    body = {"model": "mock/gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
    answer = browser.call("POST", "/v1/chat/completions", 200, json=body)
    call = gateway.api.get(f"/api/v1/llm_calls/{answer.headers['x-loam-call-id']}")
    assert call["user_id"] == user["id"]
    assert call["api_key_id"] is None


def test_a_proxy_that_is_trusted_says_where_the_browser_is():
    with deploy("sqlite", env={"LOAM_SERVER__TRUSTED_PROXIES": '["127.0.0.1"]'}) as deployment:
        api: Api = deployment.api
        credentials = {"username": "operator", "password": "correct-horse-battery-staple-7041"}
        headers = {"x-forwarded-for": "192.0.2.99, 203.0.113.7"}
        answer = httpx.post(f"{api.url}/api/v1/login", json=credentials, headers=headers)
        assert answer.headers["set-cookie"].startswith("__Host-loam_session="), "it is not on this machine"
        assert api.all("login_sessions")[0]["ip_address"] == "203.0.113.7"
