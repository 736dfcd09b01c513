"""What surrounds every page: log-in, languages, themes, the navigation and the search."""

from __future__ import annotations

import gzip

import httpx
import pytest
from playwright.sync_api import expect

from console.conftest import NARROW, Console
from services_kit.loam import BOOTSTRAP_PASSWORD
from support.deployment import Deployment

pytestmark = pytest.mark.one_database


def test_a_person_logs_in_and_out(console: Console):
    page = console.open("/calls", username=None)
    page.get_by_label("User name or e-mail").fill("operator")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("wrong")
    page.get_by_label("Password").fill(BOOTSTRAP_PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Model calls")).to_be_visible()
    page.get_by_role("button", name="Account: operator").click()
    page.get_by_role("menuitem", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in to Loam")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Log in to Loam")).to_be_visible()


def test_other_tabs_follow_a_log_out_and_a_log_in(console: Console):
    page = console.open("/calls")
    other = page.context.new_page()
    other.goto(f"{console.url}/console/projects")
    expect(other.get_by_role("heading", name="Projects", exact=True)).to_be_visible()
    page.get_by_role("button", name="Account: operator").click()
    page.get_by_role("menuitem", name="Log out").click()
    expect(other.get_by_role("heading", name="Log in to Loam")).to_be_visible()
    other.get_by_label("User name or e-mail").fill("operator")
    other.get_by_label("Password").fill(BOOTSTRAP_PASSWORD)
    other.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Model calls")).to_be_visible()


def test_a_password_that_was_set_by_somebody_else_is_changed_first(console: Console, deployment: Deployment, name):
    username = name("person")
    body = {"username": username, "email": f"{username}@example.com", "password": "set-by-the-operator-1", "roles": ["viewer"]}
    user = deployment.api.create("users", body)
    given = deployment.api.call("POST", f"/api/v1/users/{user['id']}/password_reset", 200).json()["password"]
    page = console.open("/calls", username=username, password=given)
    expect(page.get_by_role("heading", name="Choose a password of your own")).to_be_visible()
    page.get_by_label("Current password").fill(given)
    page.get_by_label("New password", exact=False).first.fill("a-password-of-my-own-1")
    page.get_by_label("New password again").fill("another-password-1")
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_role("alert")).to_contain_text("differ")
    page.get_by_label("New password again").fill("a-password-of-my-own-1")
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_role("heading", name="Model calls")).to_be_visible()


def test_language_and_theme_are_kept(console: Console):
    page = console.open("/calls")
    page.get_by_role("button", name="Language").click()
    page.get_by_role("menuitem", name="简体中文").click()
    expect(page.get_by_role("heading", name="模型调用")).to_be_visible()
    page.get_by_role("button", name="主题").click()
    page.get_by_role("menuitem", name="深色").click()
    page.reload()
    expect(page.get_by_role("heading", name="模型调用")).to_be_visible()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("document.documentElement.lang") == "zh-CN"


def test_the_search_goes_to_a_page_by_the_keyboard_alone(console: Console):
    page = console.open("/calls/compare")
    page.get_by_role("heading", name="Two calls side by side").wait_for()
    page.keyboard.press("Control+k")
    page.keyboard.type("model calls")
    expect(page.get_by_role("option", name="Model calls")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Model calls", exact=True)).to_be_visible()


def test_the_navigation_of_a_phone_is_a_drawer(console: Console):
    page = console.open("/calls", size=NARROW)
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("dialog").get_by_role("link", name="Model calls").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    # A list's filters leave the screen to its rows until they are wanted.
    expect(page.get_by_role("searchbox", name="Provider")).to_be_hidden()
    page.get_by_role("button", name="Filters").click()
    expect(page.get_by_role("searchbox", name="Provider")).to_be_visible()


def test_the_server_compresses_and_caches_what_it_embeds(deployment: Deployment):
    with httpx.Client(base_url=deployment.loam.url) as client:
        start = client.get("/", follow_redirects=False)
        assert (start.status_code, start.headers["location"]) == (307, "/console/")
        assert client.get("/console", follow_redirects=False).headers["location"] == "/console/"
        page = client.get("/console/any/page?of=it")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.headers["cache-control"] == "no-cache"
        assert "script-src 'self';" in page.headers["content-security-policy"]
        again = client.get("/console/", headers={"if-none-match": page.headers["etag"]})
        assert again.status_code == 304
        script = page.text.split('src="')[1].split('"')[0]
        plain = client.get(script, headers={"accept-encoding": "identity"})
        zipped = client.get(script, headers={"accept-encoding": "gzip"})
        brotli = client.get(script, headers={"accept-encoding": "br"})
        assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert "content-encoding" not in plain.headers
        assert zipped.headers["content-encoding"] == "gzip"
        assert brotli.headers["content-encoding"] == "br"
        assert zipped.content == plain.content
        sizes = [int(answer.headers["content-length"]) for answer in (brotli, zipped)]
        assert sizes == sorted(sizes)
        assert sizes[1] < len(gzip.compress(plain.content)) * 1.1
        missing = client.get("/console/assets/none.js")
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, "unknown_path")
        head = client.head("/console/")
        assert head.status_code == 200
