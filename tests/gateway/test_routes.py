"""How a route distributes its calls."""

from __future__ import annotations

from collections import Counter

import pytest

from services import Faulty
from support.api import Api, assert_error, eventually
from support.deployment import Deployment
from support.gateway import add_faulty, add_key, add_route, the_call, to, tried, unique

CALLS = 300
# Every test starts with all of them healthy.
pytestmark = [pytest.mark.usefixtures("three"), pytest.mark.one_database]


@pytest.fixture(scope="module")
def names(deployment: Deployment, upstreams: list[Faulty]) -> list[str]:
    """The three as providers."""
    return [add_faulty(deployment.api, each) for each in upstreams]


def shares(api: Api, alias: str, calls: int) -> Counter[str]:
    """The number of calls that started at each target; all succeed."""
    return Counter(tried(the_call(api, api.chat(alias, "where?")))[0][0] for _ in range(calls))


def test_a_call_of_a_route_is_recorded_with_alias_and_target(api, names):
    alias = add_route(api, to(names[0], "m"))
    response = api.chat(alias, "hello")
    assert response.json()["choices"][0]["message"]["content"] == "one/m says: hello"
    call = the_call(api, response)
    assert (call["route"], call["provider"], call["model"], call["state"]) == (alias, names[0], "m", "settled")
    assert [(attempt["target"], attempt["status"], attempt["error"]) for attempt in call["attempts"]] == [
        (f"{names[0]}/m", 200, None)
    ]
    assert call["attempts"][0]["duration_ms"] > 0


def test_higher_orders_are_called_only_when_lower_ones_fail(api, names, three):
    alias = add_route(api, to(names[2], order=2), to(names[0], order=0), to(names[1], order=1))
    assert tried(the_call(api, api.chat(alias, "first"))) == [(names[0], 200)]
    three[0].feel(status=500)
    assert tried(the_call(api, api.chat(alias, "second"))) == [(names[0], 500), (names[1], 200)]
    three[1].feel(status=503)
    call = the_call(api, api.chat(alias, "third"))
    assert tried(call) == [(names[0], 500), (names[1], 503), (names[2], 200)]
    assert (call["provider"], call["state"], call["error_message"]) == (names[2], "settled", None)


def test_weights_divide_the_calls(api, names):
    alias = add_route(api, to(names[0], weight=6), to(names[1], weight=3), to(names[2], weight=1))
    found = shares(api, alias, CALLS)
    # Five standard deviations: wrong once in a million runs.
    for name, share in zip(names, (0.6, 0.3, 0.1), strict=True):
        off = 5 * (share * (1 - share) / CALLS) ** 0.5
        assert abs(found[name] / CALLS - share) < off, found


def test_a_target_of_weight_zero_is_only_a_fallback(api, names, three):
    alias = add_route(api, to(names[0], weight=1), to(names[1], weight=0))
    assert shares(api, alias, 30) == {names[0]: 30}
    three[0].feel(status=502)
    assert tried(the_call(api, api.chat(alias, "now"))) == [(names[0], 502), (names[1], 200)]


def test_a_nested_route_divides_its_weight_and_keeps_its_order(api, names, three):
    inner = add_route(api, to(names[1], order=0), to(names[2], order=1))
    outer = add_route(api, to(names[0], weight=1), {"route": inner, "weight": 1})
    found = shares(api, outer, 60)
    assert set(found) == {names[0], names[1]}, "the reserve of the inner route was called"
    three[0].feel(status=500)
    three[1].feel(status=500)
    call = the_call(api, api.chat(outer, "to the last"))
    assert tried(call)[-1] == (names[2], 200)
    assert set(tried(call)[:-1]) == {(names[0], 500), (names[1], 500)}
    assert call["route"] == outer


def test_routes_are_among_the_models_while_they_are_active(api, names):
    alias = add_route(api, to(names[0]))
    listed = {model["id"]: model for model in api.get("/v1/models")["data"]}
    assert listed[alias]["owned_by"] == "route"
    assert f"{names[0]}/m" in listed
    route = api.get("/api/v1/model_routes", alias=alias)["data"][0]
    api.call("PATCH", f"/api/v1/model_routes/{route['id']}", 200, json={"is_active": False})
    eventually(lambda: alias not in [model["id"] for model in api.get("/v1/models")["data"]], 2)
    assert "not active" in assert_error(api.chat(alias, "hello", expect=None), 404, "model_not_found", "model")["message"]


def test_a_changed_route_is_used_within_a_second(api, names):
    alias = add_route(api, to(names[0]))
    api.chat(alias, "before")
    route = api.get("/api/v1/model_routes", alias=alias)["data"][0]
    api.call("PATCH", f"/api/v1/model_routes/{route['id']}", 200, json={"targets": [to(names[1])]})
    eventually(lambda: tried(the_call(api, api.chat(alias, "after"))) == [(names[1], 200)], 1)
    api.call("DELETE", f"/api/v1/model_routes/{route['id']}", 204)
    eventually(lambda: api.chat(alias, "gone", expect=None).status_code == 404, 1)


def test_a_route_belongs_to_its_tenant(deployment, api, names):
    alias = add_route(api, to(names[0]))
    other = deployment.tenant(unique("tenant"))
    assert_error(other.chat(alias, "hello", expect=None), 404, "model_not_found", "model")
    assert alias not in [model["id"] for model in other.get("/v1/models")["data"]]
    caller, _ = add_key(api)
    assert caller.chat(alias, "hello").is_success


def test_an_inactive_provider_is_skipped(api, upstreams):
    off = add_faulty(api, upstreams[0])
    on = add_faulty(api, upstreams[1])
    alias = add_route(api, to(off, order=0), to(on, order=1))
    provider = api.get("/api/v1/ai_providers", name=off)["data"][0]
    api.call("PATCH", f"/api/v1/ai_providers/{provider['id']}", 200, json={"is_active": False})
    eventually(lambda: tried(the_call(api, api.chat(alias, "hello"))) == [(on, 200)], 1)
