"""Answers of status 200 that are none, streams that end too early, and what a provider says in headers: the same for every
client format, plain and streamed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest

from services import Faulty
from support.api import Api, eventually
from support.deployment import Deployment, deploy
from support.gateway import add_faulty, add_route, the_call, to, tried

pytestmark = pytest.mark.one_database

JSON = (("content-type", "application/json"),)
EVENTS = (("content-type", "Text/Event-Stream"),)
ERROR = {"error": {"message": "the moon is full", "type": "server_error", "code": None}}
CHUNK = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
USAGE = {"prompt_tokens": 7.0, "completion_tokens": 3, "total_tokens": 10}
PATHS = {"chat": "/v1/chat/completions", "messages": "/anthropic/v1/messages", "responses": "/v1/responses"}


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    """On SQLite only: none of this depends on the database."""
    with deploy("sqlite") as made:
        yield made


@pytest.fixture
def names(deployment: Deployment, three: list[Faulty]) -> list[str]:
    return [add_faulty(deployment.api, each) for each in three]


def event(data: Any, end: str = "\n") -> bytes:
    return f"data: {data if isinstance(data, str) else json.dumps(data)}{end}{end}".encode()


def delta(reason: str | None = None, **content: str) -> dict[str, Any]:
    return CHUNK | {"choices": [{"index": 0, "delta": content, "finish_reason": reason}]}


def ask(api: Api, form: str, alias: str, *, stream: bool, **headers: str) -> Any:
    body = {"model": alias, "max_tokens": 9, "stream": stream}
    body |= {"input": "hello"} if form == "responses" else {"messages": [{"role": "user", "content": "hello"}]}
    return api.http.post(PATHS[form], json=body, headers=headers)


@pytest.mark.parametrize("form", PATHS)
@pytest.mark.parametrize(
    "mood",
    [
        {"answer": json.dumps(ERROR).encode(), "headers": JSON},
        {"answer": b"<html>Please log in</html>", "headers": (("content-type", "text/html"),)},
        {"answer": b"", "headers": JSON},
        {"answer": event(ERROR), "headers": EVENTS},
        {"answer": b": wait\r\n\r\n" + event(ERROR, "\r\n"), "headers": EVENTS},
        {"answer": b'event: error\ndata: {"type": "error", "message": "the moon is full"}\n\n', "headers": EVENTS},
        {"answer": b": nothing but a comment\n\n", "headers": EVENTS},
        {"answer": json.dumps(ERROR).encode(), "headers": EVENTS},
    ],
    ids=["error", "html", "empty", "event", "comment", "named", "no-event", "labelled"],
)
def test_an_answer_that_is_none_fails_over_and_cools_down(api, names, three, form, mood):
    cool_down = {"failures": 1, "seconds": 60}
    alias = add_route(api, to(names[0], order=0), to(names[1], order=1), cool_down=cool_down)
    three[0].feel(**mood)
    stream = mood["headers"] is EVENTS
    if form == "responses":
        done = {"id": "r", "object": "response", "status": "completed", "output": []}
        answer = event({"type": "response.completed", "response": done}) if stream else json.dumps(done).encode()
        three[1].feel(answer=answer, headers=EVENTS if stream else JSON)
    response = ask(api, form, alias, stream=stream)
    assert response.status_code == 200, response.text
    assert "the moon is full" not in response.text
    call = the_call(api, response)
    assert tried(call) == [(names[0], 200), (names[1], 200)]
    assert [bool(attempt["error"]) for attempt in call["attempts"]] == [True, False]
    three[0].recover()
    assert tried(the_call(api, ask(api, form, alias, stream=stream))) == [(names[1], 200)]
    # With no other target, it is the client's error.
    three[0].feel(**mood)
    response = ask(api, form, f"{names[0]}/m", stream=stream)
    assert response.status_code >= 500, response.text
    assert "error" in response.json()
    assert the_call(api, response)["state"] == "failed"


@pytest.mark.parametrize(("code", "status", "seen"), [(429, 429, 2), (400, 400, 1), (None, 502, 2)])
def test_an_error_of_status_200_counts_as_the_status_that_it_names(api, names, three, code, status, seen):
    alias = add_route(api, to(names[0], order=0), to(names[1], order=1))
    for stream in (False, True):
        error = {"error": {"message": "the moon is full", "code": code}}
        for each in three[:2]:
            each.feel(answer=event(error) if stream else json.dumps(error).encode(), headers=EVENTS if stream else JSON)
        response = ask(api, "chat", alias, stream=stream)
        assert response.status_code == status, response.text
        assert "the moon is full" in response.json()["error"]["message"]
        assert len(tried(the_call(api, response))) == seen


@pytest.mark.parametrize("form", PATHS)
def test_a_stream_that_ends_too_early_says_so(api, names, three, form):
    begun = {
        "chat": delta(content="Hel"),
        "messages": delta(content="Hel"),
        "responses": {"type": "response.created", "response": {}},
    }
    three[0].feel(answer=event(begun[form]) + b'data: {"xxx', headers=EVENTS)
    response = ask(api, form, f"{names[0]}/m", stream=True)
    assert response.status_code == 200
    last = response.text.strip().split("\n\n")[-1]
    assert "ended its stream before the response was complete" in last
    assert "xxx" not in response.text
    if form == "chat":
        assert json.loads(last.removeprefix("data: "))["error"]["code"] == "provider_broke_off"
    for end in ("[DONE]", "message_stop"):
        assert end not in response.text
    call = eventually(lambda: api.get(f"/api/v1/llm_calls/{response.headers['x-loam-call-id']}"))
    assert (call["state"], call["status_code"]) == ("estimated", 200)
    assert "before the response was complete" in call["error_message"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("compressed", [False, True], ids=["identity", "gzip"])
@pytest.mark.parametrize("form", ["chat", "messages"])
def test_streams_are_read_whatever_their_coding_and_line_ends(api, names, three, form, compressed, end):
    usage = json.dumps(CHUNK | {"choices": [], "usage": USAGE}).replace(', "usage"', f',{end}data: "usage"')
    parts = [event(delta(content="Hello"), end), event(delta("stop"), end), event(usage, end), event("[DONE]", end)]
    stream = "\ufeff".encode() + b"".join(parts)
    headers = (*EVENTS, ("content-encoding", "gzip")) if compressed else EVENTS
    three[0].feel(answer=gzip.compress(stream) if compressed else stream, headers=headers)
    response = ask(api, form, f"{names[0]}/m", stream=True)
    assert three[0].asked[-1].headers["accept-encoding"] == "identity"
    assert "content-encoding" not in response.headers
    assert "Hello" in response.text
    call = the_call(api, response)
    assert (call["state"], call["prompt_tokens"], call["completion_tokens"]) == ("settled", 7, 3)


@pytest.mark.parametrize("form", ["chat", "messages"])
def test_a_compressed_response_is_read(api, names, three, form):
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
    answer = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": USAGE}
    three[0].feel(answer=gzip.compress(json.dumps(answer).encode()), headers=(*JSON, ("content-encoding", "gzip")))
    response = ask(api, form, f"{names[0]}/m", stream=False)
    assert "Hello" in response.text
    assert "content-encoding" not in response.headers
    assert the_call(api, response)["prompt_tokens"] == 7


@pytest.mark.parametrize("form", PATHS)
def test_a_providers_limits_reach_the_client_with_its_error(api, names, three, form):
    limits = {
        "x-ratelimit-remaining-requests": "0",
        "anthropic-ratelimit-tokens-remaining": "0",
        "retry-after-ms": "1500",
        "x-should-retry": "false",
    }
    three[0].feel(status=429, retry_after=287_441, headers=tuple(limits.items()))
    response = ask(api, form, f"{names[0]}/m", stream=False)
    assert response.status_code == 429
    assert {name: response.headers.get(name) for name in limits} == limits
    assert response.headers["retry-after"] == "287441"
    assert response.headers["content-type"] == "application/json"


def test_beta_features_of_the_client_are_sent_on(api, three):
    faulty = three[0]
    config = {"base_url": faulty.base_url, "api_key": "sk", "models": faulty.models, "betas": ["a-1"]}
    api.create("ai_providers", {"name": "with-betas", "kind": "anthropic", "config": config})
    for form in ("chat", "messages"):
        ask(api, form, "with-betas/m", stream=False, **{"anthropic-beta": "b-2,c-3"})
        assert faulty.asked[-1].headers["anthropic-beta"] == "a-1,b-2,c-3"


def test_the_next_target_answers_a_turn_too(api, names, three):
    alias = add_route(api, to(names[0], order=0), to(names[1], order=1))
    three[0].feel(answer=event(ERROR), headers=EVENTS)
    session = api.create("chat_sessions", {"model": alias})
    turn = api.create(f"chat_sessions/{session['id']}/turns", {"content": "hello"})
    assert turn["state"] == "completed", turn
    assert [each.name for each in three if each.asked] == [three[0].name, three[1].name]
