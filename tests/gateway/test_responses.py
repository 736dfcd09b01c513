"""Responses that are translated: failures, failover, limits and the cache, as for every other format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from services import Faulty
from support.api import Api, eventually
from support.deployment import Deployment, deploy
from support.gateway import add_faulty, add_key, add_limit, add_route, fresh_minute, the_call, to, tried

pytestmark = pytest.mark.one_database

CALLS = "/api/v1/system_config/ai_service.calls"
EVENTS = (("content-type", "text/event-stream"),)
CHUNK = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
BEGUN = CHUNK | {"choices": [{"index": 0, "delta": {"content": "Hel"}, "finish_reason": None}]}


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    """On SQLite only: none of this depends on the database."""
    with deploy("sqlite") as made:
        yield made


@pytest.fixture
def names(deployment: Deployment, three: list[Faulty]) -> list[str]:
    return [add_faulty(deployment.api, each, responses="translated") for each in three]


def event(data: Any) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


def ask(api: Api, model: str, **fields: Any) -> Any:
    return api.http.post("/v1/responses", json={"model": model, "input": "hello"} | fields)


def events(answer: Any) -> list[dict[str, Any]]:
    return [json.loads(line.removeprefix("data: ")) for line in answer.text.splitlines() if line.startswith("data: ")]


@pytest.mark.parametrize("stream", [False, True])
def test_a_failed_target_is_followed_by_the_next(api, names, three, stream):
    alias = add_route(api, to(names[0], order=0), to(names[1], order=1))
    three[0].feel(answer=event({"error": {"message": "the moon is full"}}) if stream else b"<html>", headers=EVENTS)
    answer = ask(api, alias, stream=stream)
    assert answer.status_code == 200, answer.text
    assert "the moon is full" not in answer.text
    response = events(answer)[-1]["response"] if stream else answer.json()
    assert response["status"] == "completed"
    assert response["output"][0]["content"][0]["text"] == "two/m says: hello"
    call = the_call(api, answer)
    assert tried(call) == [(names[0], 200), (names[1], 200)]
    assert (call["state"], call["endpoint"]) == ("settled", "/responses")
    assert call["request_data"]["input"] == "hello"
    assert call["response_data"]["id"] == response["id"]
    assert [asked.path for asked in (three[0].asked[0], three[1].asked[0])] == ["/v1/chat/completions"] * 2


def test_a_stream_that_breaks_off_ends_with_a_failed_response(deployment, api, names, three):
    three[0].feel(answer=event(BEGUN) + b'data: {"xxx', headers=EVENTS)
    answer = ask(api, f"{names[0]}/m", stream=True)
    assert answer.status_code == 200
    seen = events(answer)
    assert [each["sequence_number"] for each in seen] == list(range(len(seen)))
    last = seen[-1]
    assert (last["type"], last["response"]["status"]) == ("response.failed", "failed")
    assert last["response"]["error"]["code"] == "provider_broke_off"
    assert last["response"]["output"][0]["content"][0]["text"] == "Hel"
    call = eventually(lambda: the_call(api, answer))
    assert (call["state"], call["status_code"]) == ("estimated", 200)
    assert call["error_message"]
    # The stock client reports it, and such a response can't be continued.
    with openai.OpenAI(base_url=deployment.loam.base_url, api_key=api.key, max_retries=0) as client:
        last = list(client.responses.create(model=f"{names[0]}/m", input="hello", stream=True))[-1]
        assert (last.type, last.response.error.code) == ("response.failed", "provider_broke_off")
        with pytest.raises(openai.BadRequestError) as caught:
            client.responses.create(model=f"{names[0]}/m", input="on", previous_response_id=last.response.id)
    assert caught.value.code == "previous_response_not_found"


def test_reasoning_and_a_limit_reach_the_stock_client(deployment, api, names, three):
    def chunk(reason: str | None = None, **delta: str) -> bytes:
        return event(CHUNK | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})

    usage = {"prompt_tokens": 9, "completion_tokens": 7, "completion_tokens_details": {"reasoning_tokens": 5}}
    thought = chunk(reasoning_content="A tool ") + chunk(reasoning_content="helps.")
    said = chunk(content="It rains ") + chunk("length", content="in") + event(CHUNK | {"choices": [], "usage": usage})
    three[0].feel(answer=thought + said + b"data: [DONE]\n\n", headers=EVENTS)
    # the name of the model doesn't tell that it reasons
    provider = api.get("/api/v1/ai_providers", name=names[0])["data"][0]["id"]
    api.call("PATCH", f"/api/v1/ai_providers/{provider}", 200, json={"config": {"reasoning_effort": "always"}})
    with (
        openai.OpenAI(base_url=deployment.loam.base_url, api_key=api.key, max_retries=0) as client,
        client.responses.stream(model=f"{names[0]}/m", input="hello", reasoning={"effort": "low", "summary": "auto"}) as stream,
    ):
        seen = list(stream)
    summary = [each.delta for each in seen if each.type == "response.reasoning_summary_text.delta"]
    last = seen[-1]
    assert ("".join(summary), last.type) == ("A tool helps.", "response.incomplete")
    response = last.response
    assert [item.type for item in response.output] == ["reasoning", "message"]
    assert response.output[0].summary[0].text == "A tool helps."
    assert (response.output_text, response.incomplete_details.reason) == ("It rains in", "max_output_tokens")
    assert response.usage.output_tokens_details.reasoning_tokens == 5
    assert three[0].asked[-1].body["reasoning_effort"] == "low"


def test_limits_apply(api, names):
    key, identity = add_key(api)
    fresh_minute()
    add_limit(api, "api_key", identity, requests_per_minute=1)
    assert ask(key, f"{names[0]}/m").status_code == 200
    refused = ask(key, f"{names[0]}/m", stream=True)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_requests")


def test_an_identical_request_is_served_from_the_cache(api, names, three):
    alias = add_route(api, to(names[0]), cache_seconds=60)
    first, second = ask(api, alias), ask(api, alias)
    assert (second.headers["x-loam-cache"], second.json()) == ("hit", first.json())
    assert len(three[0].asked) == 1
    # Continued, it is another request.
    third = ask(api, alias, previous_response_id=first.json()["id"])
    assert third.json()["id"] != first.json()["id"]
    assert [message["role"] for message in three[0].asked[1].body["messages"]] == ["user", "assistant", "user"]


def test_a_response_without_its_record_is_not_continued(api, names):
    api.call("PUT", CALLS, 200, json={"config_value": {"record_bodies": False}})
    try:

        def unrecorded() -> Any:
            first = ask(api, f"{names[0]}/m")
            assert the_call(api, first).get("response_data") is None
            return first

        first = eventually(unrecorded)
        refused = ask(api, f"{names[0]}/m", previous_response_id=first.json()["id"])
    finally:
        api.call("DELETE", CALLS, 204)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "previous_response_not_found")
    assert "no complete record" in refused.json()["error"]["message"]
