"""Names beside ids, what remains of limits, and providers that routes use."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pytest

from services import Faulty
from support.api import Api, assert_error, eventually
from support.deployment import Deployment
from support.gateway import add_faulty, add_key, add_limit, add_price, add_route, ended_calls, same_day, to, unique, usage


@pytest.fixture
def slug() -> str:
    return unique("named")


@pytest.fixture
def api(deployment: Deployment, slug: str) -> Api:
    """A tenant of the test's own."""
    return deployment.tenant(slug)


@pytest.fixture
def names(api: Api, three: list[Faulty]) -> list[str]:
    return [add_faulty(api, each) for each in three]


def test_usage_and_statements_show_names_also_of_what_is_deleted(api, names, deployment, slug):
    same_day()
    add_price(api, names[0], written=1000.0)
    project = api.create("projects", {"name": "shop"})["id"]
    user = api.create("users", {"username": "ann", "email": "ann@example.com", "roles": ["admin"]})["id"]
    callers = [add_key(api, name="of-shop", project_id=project), add_key(api, name="of-ann", user_id=user)]
    ids = [caller.chat(f"{names[0]}/m", "hello").headers["x-loam-call-id"] for caller, _ in callers]
    ended_calls(api, ids)
    api.call("DELETE", f"/api/v1/api_keys/{callers[0][1]}", 204)
    deleted = api.call("DELETE", f"/api/v1/projects/{project}")
    assert deleted.is_success, deleted.text
    by_key = {row["api_key_id"]: row["api_key_name"] for row in usage(api, group_by="api_key")}
    assert by_key == {callers[0][1]: "of-shop", callers[1][1]: "of-ann"}
    by_project = {row["project_id"]: row["project_name"] for row in usage(api, group_by="project")}
    assert by_project == {project: "shop", None: None}
    by_user = {row["user_id"]: row["user_name"] for row in usage(api, group_by="user")}
    assert by_user == {user: "ann", None: None}
    assert "api_key_name" not in usage(api, group_by="provider")[0]
    month = datetime.now(UTC).strftime("%Y-%m")
    lines = api.get("/api/v1/statements", month=month)["lines"]
    assert {(line["project_name"], line["api_key_name"]) for line in lines} == {("shop", "of-shop"), (None, "of-ann")}
    text = api.call("GET", "/api/v1/statements", 200, params={"month": month, "format": "csv"}).text
    assert {row["api_key_name"] for row in csv.DictReader(io.StringIO(text))} == {"of-shop", "of-ann"}
    assert "of-shop" in deployment.loam.cli("usage", "show", "--tenant", slug, "--by", "api_key").stdout


def test_limits_show_the_name_of_their_subject_and_what_remains(api, names):
    same_day()
    add_price(api, names[0], written=1000.0)
    caller, key = add_key(api, name="the-app")
    call = caller.chat(f"{names[0]}/m", "hello").headers["x-loam-call-id"]
    (row,) = ended_calls(api, [call])
    limit = add_limit(api, "api_key", key, budget_per_day=1, requests_per_minute=1000)
    assert limit["subject_name"] == "the-app"
    assert limit["remaining"]["budget_per_day"] == pytest.approx(1 - row["cost_usd"], abs=1e-9)
    assert limit["remaining"]["requests_per_minute"] in (999, 1000), "a minute may have passed"
    assert (limit["remaining"]["budget_per_month"], limit["remaining"]["tokens_per_minute"]) == (None, None)
    assert api.get("/api/v1/limits", subject_id=key)["data"][0]["subject_name"] == "the-app"
    of_tenant = add_limit(api, "tenant", None, budget_per_month=0)
    assert of_tenant["remaining"]["budget_per_month"] == 0
    assert of_tenant["subject_name"]


def provider_id(api: Api, name: str) -> str:
    return api.get("/api/v1/ai_providers", name=name)["data"][0]["id"]


def test_a_provider_that_routes_use_is_not_deleted(api, names):
    used = add_route(api, to(names[0]), to(names[1]))
    nested = add_route(api, {"route": used})
    path = f"/api/v1/ai_providers/{provider_id(api, names[0])}"
    error = assert_error(api.call("DELETE", path), 409, "in_use")
    assert f"`{used}`" in error["message"]
    assert nested not in error["message"]
    assert api.call("GET", path, 200)
    assert api.call("DELETE", f"/api/v1/ai_providers/{provider_id(api, names[2])}", 204)


def test_a_provider_is_deleted_with_its_targets_on_request(api, names, deployment):
    shared = add_route(api, to(names[0], weight=1), to(names[1], weight=0))
    only = add_route(api, to(names[0]))
    nested = add_route(api, {"route": only}, to(names[1], order=1))
    path = f"/api/v1/ai_providers/{provider_id(api, names[0])}"
    other = deployment.tenant(unique("other"))
    assert_error(other.call("DELETE", path, params={"cascade": "true"}), 404, "not_found")
    assert api.call("DELETE", path, 204, params={"cascade": "true"})
    rows = {row["alias"]: row["targets"] for row in api.all("model_routes")}
    assert set(rows) == {shared, nested}
    assert [(target["provider"], target["weight"]) for target in rows[shared]] == [(names[1], 1)]
    assert [target.get("provider") for target in rows[nested]] == [names[1]]
    for alias in (shared, nested):
        eventually(lambda alias=alias: api.chat(alias, "hello", None).is_success)
    assert api.chat(only, "hello", None).status_code == 404
    # A job prepares the tenant's providers meanwhile.
    rows = [row for row in api.get("/api/v1/audit_logs", limit=20)["data"] if not row["actor"].startswith("system")]
    changes = [(row["action"], row["resource_type"]) for row in rows[:4]]
    assert changes[0] == ("delete", "ai_providers")
    assert sorted(changes[1:]) == [("delete", "model_routes"), ("update", "model_routes"), ("update", "model_routes")]


def test_the_command_line_deletes_a_provider_with_cascade_alone(api, names, deployment, slug):
    alias = add_route(api, to(names[0]))
    made = provider_id(api, names[0])
    done = deployment.loam.cli("provider", "delete", made, "--tenant", slug, check=False)
    assert (done.returncode, alias in done.stderr) == (1, True)
    deployment.loam.cli("provider", "delete", made, "--tenant", slug, "--cascade")
    assert api.all("model_routes") == []
