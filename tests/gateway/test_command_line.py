"""`loam route`, `loam limit`, `loam usage`: changes apply at once, and the output equals the API's."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pytest

from services import Faulty
from support.api import assert_error, eventually
from support.deployment import Deployment
from support.gateway import add_faulty, add_key, add_price, add_route, ended_calls, nano, the_call, to, tried, unique, usage


@pytest.fixture
def names(deployment: Deployment, three: list[Faulty]) -> list[str]:
    return [add_faulty(deployment.api, each) for each in three]


def test_a_route_is_created_listed_shown_called_and_deleted(deployment, api, names, three):
    alias = unique("cli")
    words = ["--target", f"{names[0]}/m,weight=3", "--target", f"{names[1]}/m,order=1", "--rounds", "0"]
    made = deployment.loam.cli_json("route", "create", "--alias", alias, *words, "--total-timeout", "20", "--cache-seconds", "9")
    assert made == api.get(f"/api/v1/model_routes/{made['id']}")
    assert made["targets"] == [to(names[0], order=0, weight=3), to(names[1], order=1, weight=1)]
    assert (made["timeouts"], made["retries"]["rounds"], made["cache_seconds"]) == ({"total": 20}, 0, 9)
    listed = deployment.loam.cli_json("route", "list")
    assert made in listed
    assert deployment.loam.cli_json("route", "show", made["id"]) == made
    assert alias in deployment.loam.cli("route", "list").stdout
    three[0].feel(status=500)
    # a name that the server does not know may just have been created
    call = the_call(api, api.chat(alias, "hello there"))
    assert tried(call) == [(names[0], 500), (names[1], 200)]
    deployment.loam.cli("route", "delete", made["id"])
    eventually(lambda: api.chat(alias, "gone", None).status_code == 404, 2)
    assert deployment.loam.cli("route", "show", made["id"], check=False).returncode == 1


def test_a_nested_route_is_one_argument(deployment, api, names):
    inner, outer = add_route(api, to(names[0])), unique("outer")
    made = deployment.loam.cli_json("route", "create", "--alias", outer, "--target", f"route:{inner}")
    assert made["targets"] == [{"route": inner, "order": 0, "weight": 1}]


def test_a_route_is_replaced_and_keeps_its_id(deployment, api, names):
    alias = unique("replaced")
    create = ["route", "create", "--alias", alias, "--replace", "--field", "id", "--target"]
    made = deployment.loam.cli(*create, f"{names[0]}/m", "--cache-seconds", "9").stdout.strip()
    assert deployment.loam.cli(*create, f"{names[1]}/m").stdout.strip() == made
    route = api.get(f"/api/v1/model_routes/{made}")
    assert (route["targets"], route["cache_seconds"]) == ([to(names[1], order=0, weight=1)], None)
    done = deployment.loam.cli("route", "create", "--alias", alias, "--target", f"{names[0]}/m", check=False)
    assert (done.returncode, "already exists" in done.stderr) == (1, True)
    assert alias in deployment.loam.cli("route", "list", "--field", "alias").stdout.split()
    done = deployment.loam.cli("route", "show", made, "--field", "name", check=False)
    assert (done.returncode, "the fields are id, alias, " in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--target", "nobody/m"], 1, "nobody"),
        (["--target", "route:no-such-route"], 1, "no-such-route"),
        (["--target", "no-slash"], 2, "provider/model"),
        (["--target", "a/b,weight=x"], 2, "whole number"),
        ([], 2, "--target"),
    ],
    ids=str,
)
def test_an_invalid_route_is_rejected(deployment, api, words, code, message):
    alias = unique("bad")
    done = deployment.loam.cli("route", "create", "--alias", alias, *words, check=False)
    assert done.returncode == code
    assert message in done.stderr
    assert done.stdout == ""
    assert api.get("/api/v1/model_routes", alias=alias)["data"] == []


def test_a_limit_is_created_listed_shown_enforced_and_deleted(deployment, api, names):
    caller, key = add_key(api)
    words = ["--for", "api_key", "--id", key, "--requests-per-minute", "0", "--budget-per-day", "1.25"]
    made = deployment.loam.cli_json("limit", "create", *words)
    assert made == api.get(f"/api/v1/limits/{made['id']}")
    assert (made["subject_type"], made["subject_id"]) == ("api_key", key)
    assert (made["requests_per_minute"], made["budget_per_day"], made["concurrency"]) == (0, 1.25, None)
    assert made in deployment.loam.cli_json("limit", "list")
    assert deployment.loam.cli_json("limit", "show", made["id"]) == made
    assert key in deployment.loam.cli("limit", "list").stdout
    changed = deployment.loam.cli_json("limit", "update", made["id"], "--budget-per-day", "none", "--concurrency", "3")
    assert changed == api.get(f"/api/v1/limits/{made['id']}")
    remaining = made["remaining"] | {"budget_per_day": None}
    new = {"budget_per_day": None, "concurrency": 3, "remaining": remaining, "updated_at": changed["updated_at"]}
    assert changed == made | new
    refused = eventually(lambda: (response := caller.chat(f"{names[0]}/m", "hi", None)).status_code == 429 and response, 2)
    assert_error(refused, 429, "rate_limit_requests")
    deployment.loam.cli("limit", "delete", made["id"])
    eventually(lambda: caller.chat(f"{names[0]}/m", "hi", None).is_success, 2)
    assert deployment.loam.cli("limit", "show", made["id"], check=False).returncode == 1


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--for", "planet", "--concurrency", "1"], 2, "tenant, project, user, api_key or end_user"),
        (["--for", "api_key", "--concurrency", "1"], 1, "subject_id"),
        (["--for", "tenant"], 1, "at least one"),
    ],
    ids=str,
)
def test_an_invalid_limit_is_rejected(deployment, words, code, message):
    done = deployment.loam.cli("limit", "create", *words, check=False)
    assert done.returncode == code
    assert message in done.stderr


def test_calls_are_found_by_the_filters_of_the_api_with_their_errors(deployment, api, names, three):
    caller, key = add_key(api)
    three[0].feel(status=500)
    failed = the_call(api, caller.chat(f"{names[0]}/m", "fails", None))
    three[0].recover()
    settled = the_call(api, caller.chat(f"{names[0]}/m", "works"))

    def found(*words: str) -> list[str]:
        return deployment.loam.cli("call", "list", "--field", "id", *words).stdout.split()

    eventually(lambda: found("--key", key) == [settled["id"], failed["id"]], 5)
    assert found("--key", key, "--state", "failed") == [failed["id"]]
    assert found("--request", failed["request_id"]) == [failed["id"]]
    assert found("--key", key, "--from", settled["created_at"]) == [settled["id"]]
    assert found("--key", key, "--to", failed["created_at"]) == []
    assert failed["error_message"] in deployment.loam.cli("call", "list", "--key", key).stdout


def test_usage_equals_the_apis(deployment, upstreams):
    slug = unique("counted")
    api = deployment.tenant(slug)
    for each in upstreams:
        each.recover()
    name = add_faulty(api, upstreams[0])
    add_price(api, name, read=1, written=2)
    ids = [api.chat(f"{name}/m", "count me").headers["x-loam-call-id"] for _ in range(3)]
    ended_calls(api, ids)
    (shown,) = deployment.loam.cli_json("usage", "show", "--tenant", slug, "--by", "provider,model")
    (reported,) = usage(api, group_by="provider,model")
    assert shown == reported
    assert (shown["provider"], shown["calls"], nano(shown["cost_usd"])) == (name, 3, 3 * 20_000)
    table = deployment.loam.cli("usage", "show", "--tenant", slug).stdout
    assert name in table
    month = datetime.now(UTC).strftime("%Y-%m")
    statement = deployment.loam.cli_json("usage", "statement", month, "--tenant", slug)
    assert statement == api.get("/api/v1/statements", month=month)
    printed = deployment.loam.cli("usage", "statement", month, "--tenant", slug, "--csv").stdout
    served = api.call("GET", "/api/v1/statements", 200, params={"month": month, "format": "csv"}).text
    assert list(csv.reader(io.StringIO(printed))) == list(csv.reader(io.StringIO(served)))


@pytest.mark.parametrize(
    ("words", "code"), [(("show", "--by", "colour"), 1), (("show", "--days", "0"), 2), (("statement", "soon"), 1)]
)
def test_an_invalid_usage_query_is_rejected(deployment, words, code):
    done = deployment.loam.cli("usage", *words, check=False)
    assert done.returncode == code
    assert done.stderr
