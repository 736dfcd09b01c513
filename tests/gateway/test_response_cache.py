"""The response cache: only identical requests, of the same tenant, by a route that caches."""

from __future__ import annotations

import pytest

from services import Faulty
from support.api import Api, eventually
from support.deployment import Deployment
from support.gateway import add_faulty, add_price, add_route, the_call, to, unique, usage

pytestmark = pytest.mark.one_database


class Cached:
    """A tenant of the test's own with a route that caches responses."""

    def __init__(self, deployment: Deployment, upstream: Faulty, seconds: int | None = 60) -> None:
        self.upstream = upstream
        self.api = deployment.tenant(unique("cached"))
        self.provider = add_faulty(self.api, upstream)
        add_price(self.api, self.provider, read=10, written=100)
        self.alias = add_route(self.api, to(self.provider), alias="kept", cache_seconds=seconds)

    def chat(self, prompt: str = "hello", api: Api | None = None, **fields):
        return (api or self.api).chat(self.alias, prompt, **fields)

    def stream(self, prompt: str = "hello", **fields) -> tuple[bytes, dict[str, str]]:
        body = {"model": self.alias, "messages": [{"role": "user", "content": prompt}], "stream": True} | fields
        response = self.api.call("POST", "/v1/chat/completions", 200, json=body)
        return response.content, dict(response.headers)


@pytest.fixture
def cached(deployment: Deployment, three: list[Faulty]) -> Cached:
    return Cached(deployment, three[0])


def test_an_identical_request_is_served_free(cached):
    first, second = cached.chat(), cached.chat()
    assert second.content == first.content
    assert second.headers["content-type"] == first.headers["content-type"]
    assert "x-loam-cache" not in first.headers
    assert second.headers["x-loam-cache"] == "hit"
    assert len(cached.upstream.asked) == 1
    miss, hit = the_call(cached.api, first), the_call(cached.api, second)
    assert miss["id"] != hit["id"]
    assert (miss["cache"], hit["cache"]) == ("miss", "hit")
    assert miss["cost_usd"] > 0
    assert hit["cost_usd"] == 0
    assert hit["attempts"] == []
    for name in ("state", "route", "provider", "model", "status_code", "total_tokens", "response_data"):
        assert hit[name] == miss[name], name

    def counted() -> bool:
        sums = [(total["calls"], total["cache_hits"], total["cost_usd"]) for total in usage(cached.api)]
        return sums == [(2, 1, miss["cost_usd"])]

    eventually(counted, 2)


def test_a_cached_stream_is_identical(cached):
    first, headers = cached.stream()
    again, headers_again = cached.stream()
    assert again == first
    assert first.endswith(b"data: [DONE]\n\n")
    assert headers_again["content-type"] == headers["content-type"]
    assert headers_again["x-loam-cache"] == "hit"
    assert len(cached.upstream.asked) == 1
    hit = cached.api.get(f"/api/v1/llm_calls/{headers_again['x-loam-call-id']}")
    assert (hit["state"], hit["cache"], hit["cost_usd"], hit["streamed"]) == ("settled", "hit", 0, True)
    # A request for usage is a different request.
    third, headers_third = cached.stream(stream_options={"include_usage": True})
    assert "x-loam-cache" not in headers_third
    assert b'"usage": {' in third
    assert b'"usage": {' not in first


def test_another_request_never_gets_it(cached):
    cached.chat()
    for change in ({"prompt": "hello "}, {"temperature": 0}, {"max_tokens": 5}, {"stream": True}, {"user": "somebody"}):
        response = cached.chat(**change)
        assert "x-loam-cache" not in response.headers, change
        assert the_call(cached.api, response)["cache"] == "miss"
    assert len(cached.upstream.asked) == 6


def test_another_tenant_never_gets_it(deployment, cached, three):
    other = Cached(deployment, three[1])
    assert other.alias == cached.alias
    cached.chat()
    response = other.chat()
    assert "x-loam-cache" not in response.headers
    assert "two/m says" in response.text
    assert len(three[1].asked) == 1


def test_another_route_and_the_model_itself_never_get_it(cached):
    cached.chat()
    same = add_route(cached.api, to(cached.provider), cache_seconds=60)
    for address in (same, f"{cached.provider}/m"):
        response = cached.api.chat(address, "hello")
        assert "x-loam-cache" not in response.headers
    assert the_call(cached.api, response)["cache"] is None
    assert len(cached.upstream.asked) == 3


def test_it_is_off_by_default(deployment, three):
    plain = Cached(deployment, three[0], seconds=None)
    for _ in range(2):
        response = plain.chat()
        assert "x-loam-cache" not in response.headers
        assert the_call(plain.api, response)["cache"] is None
    assert len(three[0].asked) == 2


def test_a_cached_response_expires(deployment, three):
    short = Cached(deployment, three[0], seconds=3)
    short.chat()
    assert short.chat().headers["x-loam-cache"] == "hit"
    eventually(lambda: "x-loam-cache" not in short.chat().headers, 15)
    assert len(three[0].asked) == 2


@pytest.mark.parametrize("mood", [{"status": 500}, {"status": 429}, {"status": 400}], ids=str)
def test_a_failure_is_not_cached(cached, mood):
    cached.upstream.feel(**mood)
    assert cached.chat(expect=None).status_code >= 400
    cached.upstream.feel()
    assert "x-loam-cache" not in cached.chat().headers


def test_a_truncated_stream_is_not_cached(cached):
    cached.upstream.feel(cut="middle")
    assert b"provider_broke_off" in cached.stream()[0]
    cached.upstream.feel()
    complete, headers = cached.stream()
    assert complete.endswith(b"data: [DONE]\n\n")
    assert "x-loam-cache" not in headers


def test_a_changed_route_serves_no_responses_cached_before(cached, three):
    assert "one/m says" in cached.chat().text
    other = add_faulty(cached.api, three[1])
    route = cached.api.get("/api/v1/model_routes", alias=cached.alias)["data"][0]
    cached.api.call("PATCH", f"/api/v1/model_routes/{route['id']}", 200, json={"targets": [to(other)]})
    eventually(lambda: "two/m says" in cached.chat().text, 1)
