"""Settings of models and of access: providers, routes, keys, roles, projects and tenants."""

from __future__ import annotations

import httpx
import pytest
from playwright.sync_api import Page, expect

from console.conftest import Console
from services import LlMock
from support.deployment import MOCK_MODELS, PROVIDER_SECRET, Deployment

pytestmark = pytest.mark.one_database


def act(page: Page, name: str, action: str) -> None:
    """Chooses an action of a row's menu."""
    page.get_by_role("button", name=f"Actions for {name}", exact=True).click()
    page.get_by_role("menuitem", name=action, exact=True).click()


def status_with(deployment: Deployment, key: str) -> int:
    return httpx.get(f"{deployment.loam.url}/v1/models", headers={"authorization": f"Bearer {key}"}).status_code


def test_a_key_is_shown_once_and_works_until_it_is_revoked(console: Console, deployment: Deployment, name):
    key_name = name("key")
    page = console.open("/keys")
    page.get_by_role("button", name="Create a key").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Name").fill(key_name)
    expect(form.get_by_role("group", name="Calls of models").get_by_role("checkbox")).to_be_checked()
    form.get_by_role("button", name="Create").click()
    shown = page.get_by_role("dialog", name=f"Key {key_name}")
    key = shown.get_by_label(f"Key {key_name}").inner_text()
    assert key.startswith("loam_")
    expect(shown.get_by_text("/v1/models")).to_contain_text(key)
    assert status_with(deployment, key) == 200
    shown.get_by_role("button", name="I have stored it").click()
    page.reload()
    row = page.get_by_role("row").filter(has_text=key_name)
    expect(row).to_contain_text("gateway:call")
    assert key not in page.content()
    act(page, key_name, "Revoke")
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(row).to_contain_text("revoked")
    assert status_with(deployment, key) == 401


def test_a_provider_is_made_from_its_schema_tested_and_deleted(console: Console, deployment: Deployment, mock: LlMock, name):
    provider = name("provider")
    page = console.open("/providers")
    page.get_by_role("button", name="Add a provider").click()
    form = page.get_by_role("dialog")
    form.get_by_role("radio", name="OpenAI").check()
    form.get_by_label("Name", exact=False).first.fill(provider)
    form.get_by_label("Base URL").fill("no address")
    form.get_by_label("API key", exact=True).fill(PROVIDER_SECRET)
    form.get_by_role("button", name="Add the provider").click()
    expect(form.get_by_role("alert")).to_contain_text("valid uri")
    form.get_by_label("Base URL").fill(mock.base_url)
    form.get_by_role("button", name="Add the provider").click()
    tested = page.get_by_role("dialog", name=f"Connection to {provider}")
    expect(tested).to_contain_text("It works")
    for model in MOCK_MODELS[:2]:
        expect(tested).to_contain_text(model)
    page.keyboard.press("Escape")
    assert PROVIDER_SECRET not in page.content()

    act(page, provider, "Edit")
    form = page.get_by_role("dialog", name=f"Provider {provider}", exact=True)
    form.get_by_label("Base URL").fill("http://127.0.0.1:1/v1")
    form.get_by_role("button", name="Save").click()
    expect(form).to_contain_text("enter the secret again")
    expect(form.get_by_label("API key", exact=True)).to_be_focused()
    page.keyboard.press("Escape")

    route = deployment.api.create(
        "model_routes", {"alias": name("route"), "targets": [{"provider": provider, "model": "gpt-4o"}]}
    )
    act(page, provider, "Delete")
    question = page.get_by_role("dialog", name=f"Delete provider {provider}?")
    question.get_by_role("button", name="Delete").click()
    expect(question.get_by_role("alert")).to_contain_text(route["alias"])
    question.get_by_role("button", name="Remove it from these routes").click()
    expect(question).to_be_hidden()
    expect(page.get_by_role("row").filter(has_text=provider)).to_have_count(0)
    deployment.api.call("GET", f"/api/v1/model_routes/{route['id']}", 404)


def test_targets_of_a_route_are_ordered_by_pointer_and_keyboard(console: Console, deployment: Deployment, mock: LlMock, name):
    provider, alias = name("provider"), name("route")
    deployment.add_provider(provider, mock.base_url, MOCK_MODELS)
    targets = [{"provider": provider, "model": model, "order": order} for order, model in enumerate(["one", "two", "three"])]
    route = deployment.api.create("model_routes", {"alias": alias, "targets": targets})
    page = console.open("/routes")
    act(page, alias, "Edit")
    form = page.get_by_role("dialog")
    handle = form.get_by_role("button", name=f"Drag {provider}/three to")
    handle.hover()
    page.mouse.down()
    first = form.get_by_role("button", name=f"Drag {provider}/one to").bounding_box()
    page.mouse.move(first["x"] + 5, first["y"] + 2, steps=8)
    page.mouse.up()
    form.get_by_role("button", name=f"Drag {provider}/one to").press("ArrowDown")
    form.get_by_role("button", name=f"Move {provider}/two up").click()
    form.get_by_label("Share with the target above").first.check()
    form.get_by_role("button", name="Save").click()
    expect(form).to_be_hidden()
    saved = deployment.api.get(f"/api/v1/model_routes/{route['id']}")["targets"]
    assert [(each["model"], each["order"]) for each in saved] == [("two", 0), ("three", 0), ("one", 1)]


def test_permissions_of_a_role_are_ticked(console: Console, deployment: Deployment, name):
    role = deployment.api.create("roles", {"name": name("role"), "permissions": ["projects:read"]})
    page = console.open("/roles")
    page.get_by_role("checkbox", name=f"{role['name']} includes users:read").check()
    page.get_by_role("checkbox", name=f"{role['name']} includes projects:read").uncheck()
    expect(page.get_by_text(f"2 changed in role {role['name']}")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text(f"2 changed in role {role['name']}")).to_be_hidden()
    assert deployment.api.get(f"/api/v1/roles/{role['id']}")["permissions"] == ["users:read"]
    username = name("holder")
    deployment.api.create("users", {"username": username, "email": f"{username}@example.com", "roles": [role["name"]]})
    act(page, role["name"], "Delete")
    question = page.get_by_role("dialog", name=f"Delete role {role['name']}?")
    question.get_by_role("button", name="Delete").click()
    expect(question.get_by_role("alert")).to_contain_text(username)


def test_a_viewer_sees_no_buttons_and_the_server_refuses(console: Console, deployment: Deployment, name):
    username, password = name("viewer"), "a-password-of-a-viewer-1"
    body = {"username": username, "email": f"{username}@example.com", "password": password, "roles": ["viewer"]}
    deployment.api.create("users", body)
    project = deployment.api.create("projects", {"name": name("project")})
    page = console.open("/projects?dialog=delete&item=" + project["id"], username=username, password=password)
    page.get_by_role("row").filter(has_text=project["name"]).wait_for()
    expect(page.get_by_role("button", name="Create a project")).to_have_count(0)
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name=f"Actions for {project['name']}", exact=True).click()
    expect(page.get_by_role("menuitem", name="Details")).to_be_visible()
    for action in ("Edit", "Delete", "Rotate the ingest key"):
        expect(page.get_by_role("menuitem", name=action)).to_have_count(0)
    navigation = page.get_by_role("navigation", name="Navigation")
    for hidden in ("Users", "Roles", "API keys", "Tenants", "Signing keys"):
        expect(navigation.get_by_role("link", name=hidden, exact=True)).to_have_count(0)
    page.keyboard.press("Escape")
    page.goto(f"{console.url}/console/users")
    expect(page.get_by_role("alert")).to_contain_text("users:read")
    token = page.request.get(f"{console.url}/api/v1/session").json()["csrf_token"]
    refused = page.request.delete(f"{console.url}/api/v1/projects/{project['id']}", headers={"x-loam-csrf": token})
    assert (refused.status, refused.json()["error"]["code"]) == (403, "missing_permission")


def test_tenants_see_nothing_of_each_other(console: Console, deployment: Deployment, name):
    slug, own, other = name("tenant"), name("own"), name("other")
    deployment.api.create("projects", {"name": own})
    tenant = deployment.tenant(slug)
    page = console.open("/projects")
    page.get_by_role("row").filter(has_text=own).wait_for()
    switcher = page.get_by_label("Tenant", exact=True)
    switcher.select_option(slug)
    expect(page.get_by_role("heading", name="No project yet")).to_be_visible()
    page.get_by_role("button", name="Create a project").click()
    page.get_by_role("dialog").get_by_label("Name").fill(other)
    page.get_by_role("dialog").get_by_role("button", name="Create").click()
    page.get_by_role("button", name="I have stored it").click()
    expect(page.get_by_role("row").filter(has_text=other)).to_be_visible()
    expect(page.get_by_role("row").filter(has_text=own)).to_have_count(0)
    assert [project["name"] for project in tenant.get("/api/v1/projects")["data"]] == [other]
    switcher.select_option("default")
    expect(page.get_by_role("row").filter(has_text=own)).to_be_visible()
    expect(page.get_by_role("row").filter(has_text=other)).to_have_count(0)


def test_a_form_does_not_undo_what_somebody_else_changed(console: Console, deployment: Deployment, name):
    project = deployment.api.create("projects", {"name": name("project")})
    page = console.open("/projects")
    act(page, project["name"], "Edit")
    form = page.get_by_role("dialog")
    deployment.api.call("PATCH", f"/api/v1/projects/{project['id']}", 200, json={"description": "theirs"})
    form.get_by_label("Description").fill("mine")
    form.get_by_role("button", name="Save", exact=True).click()
    notice = form.get_by_role("alert")
    expect(notice).to_contain_text("Somebody else has changed this meanwhile")
    # Who it was, and what.
    expect(notice).to_contain_text("By Key")
    expect(notice.get_by_role("row").filter(has_text="Description")).to_contain_text("theirs")
    assert deployment.api.get(f"/api/v1/projects/{project['id']}")["description"] == "theirs"
    notice.get_by_role("button", name="Start from the new values").click()
    expect(notice).to_be_hidden()
    expect(form.get_by_label("Description")).to_have_value("theirs")
    deployment.api.call("PATCH", f"/api/v1/projects/{project['id']}", 200, json={"name": project["name"] + " 2"})
    form.get_by_label("Description").fill("mine")
    form.get_by_role("button", name="Save", exact=True).click()
    notice.get_by_role("button", name="Save mine over it").click()
    expect(form).to_be_hidden()
    saved = deployment.api.get(f"/api/v1/projects/{project['id']}")
    assert (saved["name"], saved["description"]) == (project["name"] + " 2", "mine")
