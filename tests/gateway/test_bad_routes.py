"""Invalid routes are rejected with the reason, and nothing is changed."""

from __future__ import annotations

from typing import Any

import pytest

from services import Faulty
from support.api import Api, assert_error
from support.deployment import Deployment
from support.gateway import add_faulty, add_route, to, unique


@pytest.fixture(scope="module", autouse=True)
def there(deployment: Deployment, upstreams: list[Faulty]) -> None:
    """The only provider."""
    add_faulty(deployment.api, upstreams[0], name="there")


GOOD = to("there")
BAD: list[tuple[dict[str, Any], str]] = [
    ({"targets": []}, "targets"),
    ({"targets": [GOOD] * 51}, "targets"),
    ({"targets": [to("nobody")]}, "targets.0.provider"),
    ({"targets": [GOOD, to("nobody")]}, "targets.1.provider"),
    ({"targets": [{"route": "no-such-route"}]}, "targets"),
    ({"targets": [{"provider": "there"}]}, "targets.0"),
    ({"targets": [{"model": "m"}]}, "targets.0"),
    ({"targets": [{}]}, "targets.0"),
    ({"targets": [GOOD | {"route": "another"}]}, "targets.0"),
    ({"targets": [to("there", "")]}, "targets.0.model"),
    ({"targets": [to("there", weight=0)]}, "targets"),
    ({"targets": [GOOD, to("there", weight=0, order=1)]}, "targets"),
    ({"targets": [to("there", weight=1001)]}, "targets.0.weight"),
    ({"targets": [to("there", weight=-1)]}, "targets"),
    ({"targets": [to("there", order=32)]}, "targets.0.order"),
    ({"targets": [GOOD | {"colour": 1}]}, "colour"),
    ({"timeouts": {"total": 0}}, "timeouts.total"),
    ({"timeouts": {"first_token": -1}}, "timeouts.first_token"),
    ({"timeouts": {"connect": 1e9}}, "timeouts.connect"),
    ({"timeouts": {"idle": "soon"}}, "timeouts"),
    ({"retries": {"rounds": 11}}, "retries.rounds"),
    ({"retries": {"backoff": -1}}, "retries.backoff"),
    ({"retries": {"max_backoff": 301}}, "retries.max_backoff"),
    ({"cool_down": {"failures": 0}}, "cool_down.failures"),
    ({"cool_down": {"seconds": 301}}, "cool_down.seconds"),
    ({"cache_seconds": 0}, "cache_seconds"),
    ({"cache_seconds": 7 * 24 * 3600 + 1}, "cache_seconds"),
    ({"priority": 1}, "priority"),
]
IDS = [f"{next(iter(fields))}-{number}" for number, (fields, _) in enumerate(BAD)]


@pytest.mark.parametrize(("fields", "param"), BAD, ids=IDS)
def test_an_invalid_route_is_not_created(api, fields, param):
    alias = unique("bad")
    response = api.call("POST", "/api/v1/model_routes", json={"alias": alias, "targets": [GOOD]} | fields)
    assert_error(response, 400, param=param)
    assert api.get("/api/v1/model_routes", alias=alias)["data"] == []
    assert_error(api.chat(alias, "hello", expect=None), 404, "model_not_found")


@pytest.fixture
def route(api: Api) -> dict[str, Any]:
    """A route that a test tries to change invalidly."""
    alias = add_route(api, GOOD)
    return api.get("/api/v1/model_routes", alias=alias)["data"][0]


@pytest.mark.parametrize(("fields", "param"), BAD, ids=IDS)
def test_an_invalid_change_leaves_the_route_unchanged(api, route, fields, param):
    path = f"/api/v1/model_routes/{route['id']}"
    assert_error(api.call("PATCH", path, json=fields), 400, param=param)
    assert api.get(path) == route
    assert api.chat(route["alias"], "still there").is_success


@pytest.mark.parametrize("alias", ["", "Upper", "with/slash", "with space", "x" * 101, "ünïcode"])
def test_an_ambiguous_alias_is_rejected(api, alias):
    assert_error(api.call("POST", "/api/v1/model_routes", json={"alias": alias, "targets": [GOOD]}), 400, param="alias")


def test_an_alias_is_unique(api, route):
    again = {"alias": route["alias"], "targets": [GOOD]}
    assert_error(api.call("POST", "/api/v1/model_routes", json=again), 409, "already_exists", "alias")


def test_a_cycle_is_rejected_with_its_path(api, route):
    alias = route["alias"]
    error = assert_error(
        api.call("POST", "/api/v1/model_routes", json={"alias": (own := unique("own")), "targets": [{"route": own}]}),
        400,
        param="targets",
    )
    assert "cycle" in error["message"]
    outer = add_route(api, {"route": alias})
    outermost = add_route(api, {"route": outer})
    for end in (alias, outer, outermost):
        response = api.call("PATCH", f"/api/v1/model_routes/{route['id']}", json={"targets": [GOOD, {"route": end}]})
        error = assert_error(response, 400, param="targets")
        assert "cycle" in error["message"]
        assert f"{alias} → " in error["message"]
    assert api.get(f"/api/v1/model_routes/{route['id']}") == route
    too_deep = {"alias": unique("deep"), "targets": [{"route": outermost}]}
    assert "at most 2" in assert_error(api.call("POST", "/api/v1/model_routes", json=too_deep), 400, param="targets")["message"]


def test_a_route_that_is_a_target_cannot_be_deleted(api, route):
    outer = add_route(api, {"route": route["alias"]})
    error = assert_error(api.call("DELETE", f"/api/v1/model_routes/{route['id']}"), 409, "in_use")
    assert outer in error["message"]
    assert api.chat(outer, "hello").is_success


def test_another_tenants_provider_and_route_are_unknown(deployment, route):
    other = deployment.tenant(unique("tenant"))
    for target in (GOOD, {"route": route["alias"]}):
        body = {"alias": "mine", "targets": [target]}
        assert_error(other.call("POST", "/api/v1/model_routes", json=body), 400, param="targets")
    assert other.all("model_routes") == []


def test_a_stale_change_is_rejected(api, route):
    path = f"/api/v1/model_routes/{route['id']}"
    etag = api.call("GET", path, 200).headers["etag"]
    api.call("PATCH", path, 200, json={"cache_seconds": 60}, headers={"if-match": etag})
    assert_error(api.call("PATCH", path, json={"cache_seconds": 90}, headers={"if-match": etag}), 412, "stale_version")
    assert api.get(path)["cache_seconds"] == 60
