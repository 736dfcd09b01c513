"""Speech, transcriptions, images, moderations and rankings: passed through, counted by what providers charge for, and refused
as chats are. The client is PyPI's `openai`, unmodified."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import openai
import pytest

from services import Faulty
from support.api import Api, assert_error, eventually
from support.deployment import Deployment
from support.gateway import add_faulty, add_key, add_limit, add_route, fresh_minute, same_day, the_call, to, tried, unique

JSON = (("content-type", "application/json"),)
AUDIO = (("content-type", "audio/mpeg"),)
EVENTS = (("content-type", "text/event-stream"),)
TEXT = (("content-type", "text/plain; charset=utf-8"),)
# Neither UTF-8 nor JSON.
SOUND = b"ID3\x04\xff\xfb\r\n--" + bytes(range(256)) * 300
FILE = ("a \u00fc.mp3", SOUND, "audio/mpeg")
KINDS = ["anthropic", "qwen", "deepseek", "ollama", "dify"]
# The path, a request, and what a provider answers.
OPERATIONS = {
    "speech": ("/v1/audio/speech", {"input": "H\u00e9llo", "voice": "alloy"}, SOUND),
    "transcriptions": ("/v1/audio/transcriptions", {}, {"text": "hello", "usage": {"type": "duration", "seconds": 7}}),
    "images": ("/v1/images/generations", {"prompt": "a fox", "n": 2}, {"created": 1, "data": [{"url": "u"}, {"url": "v"}]}),
    "moderations": ("/v1/moderations", {"input": "hello"}, {"id": "modr-1", "model": "m", "results": [{"flagged": False}]}),
    "rerank": (
        "/v1/rerank",
        {"query": "capital", "documents": ["Bergen", "Oslo"]},
        {"results": [{"index": 1, "relevance_score": 0.9}], "usage": {"total_tokens": 15}},
    ),
}
# What is in the ledger: unit, quantity, tokens.
COUNTED = {
    "speech": ("characters", 5, None),
    "transcriptions": ("seconds", 7, None),
    "images": ("images", 2, None),
    "moderations": (None, None, 2),
    "rerank": (None, None, 15),
}


@pytest.fixture
def api(deployment: Deployment) -> Api:
    """A tenant of the test's own."""
    return deployment.tenant(unique("endpoints"))


@pytest.fixture
def names(api: Api, three: list[Faulty]) -> list[str]:
    return [add_faulty(api, each) for each in three]


@pytest.fixture
def client(deployment: Deployment, api: Api) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=deployment.loam.base_url, api_key=api.key, max_retries=0) as made:
        yield made


def ask(api: Api, operation: str, model: str, **more: object) -> httpx.Response:
    path, body, _ = OPERATIONS[operation]
    fields = body | {"model": model} | more
    if operation == "transcriptions":
        return api.call("POST", path, data=fields, files={"file": FILE})
    return api.call("POST", path, json=fields)


def says(faulty: Faulty, operation: str, **more: object) -> None:
    """Let this provider answer such a request."""
    answer = OPERATIONS[operation][2]
    sound = isinstance(answer, bytes)
    mood = {"answer": answer if sound else json.dumps(answer).encode(), "headers": AUDIO if sound else JSON}
    faulty.feel(**(mood | more))


def event(kind: str, **fields: object) -> bytes:
    return f"data: {json.dumps({'type': kind} | fields)}\n\n".encode()


def counted(call: dict) -> tuple:
    return call["unit"], call["quantity"], call["total_tokens"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_call_is_passed_through_and_counted_by_what_is_charged(api, names, three, operation):
    says(three[0], operation)
    tagged = {"x-loam-tags": "batch"}
    price = {"provider": names[0], "model": "*", "input_per_million": 1.0, "output_per_million": 1.0, "per_unit": 0.25}
    api.create("model_prices", price)
    api.http.headers.update(tagged)
    response = ask(api, operation, f"{names[0]}/m", user="anna")
    path, body, answer = OPERATIONS[operation]
    assert response.status_code == 200, response.text
    assert response.content == (answer if operation == "speech" else json.dumps(answer).encode())
    assert response.headers["content-type"] == ("audio/mpeg" if operation == "speech" else "application/json")
    (asked,) = three[0].asked
    assert (asked.path, asked.model) == (path, "m")
    assert {name: asked.body[name] for name in body} == body
    call = the_call(api, response)
    assert (call["endpoint"], call["provider"], call["model"]) == (path.removeprefix("/v1"), names[0], "m")
    assert call["state"] == ("estimated" if operation == "moderations" else "settled")
    assert counted(call) == COUNTED[operation]
    unit, quantity, tokens = COUNTED[operation]
    assert call["cost_usd"] == pytest.approx(quantity * 0.25 if unit else tokens / 1e6)
    used = eventually(lambda: api.get("/api/v1/usage")["data"])
    assert used[0]["quantities"] == ([{"unit": unit, "quantity": quantity}] if unit else [])
    tagged_use = api.get("/api/v1/usage", group_by="tag")["data"]
    assert tagged_use[0]["quantities"] == used[0]["quantities"]
    assert (call["end_user"], call["tags"], call["response_id"]) == ("anna", ["batch"], None)
    assert call["request_data"]["model"] == f"{names[0]}/m"
    eventually(lambda: [row["id"] for row in api.all("llm_calls", endpoint=call["endpoint"])] == [call["id"]])
    assert api.all("llm_calls", endpoint="/chat/completions") == []


def test_a_form_is_sent_unchanged_except_for_the_model_and_recorded_without_its_file(api, names, three):
    says(three[0], "transcriptions")
    response = ask(api, "transcriptions", f"{names[0]}/m", language="de", prompt="model")
    sent = response.request.read()
    (asked,) = three[0].asked
    assert asked.raw == sent.replace(f"{names[0]}/m".encode(), b"m")
    assert asked.headers["content-type"] == response.request.headers["content-type"]
    assert asked.body["file"] == SOUND
    file = {"filename": FILE[0], "content_type": "audio/mpeg", "bytes": len(SOUND)}
    assert the_call(api, response)["request_data"] == {
        "model": f"{names[0]}/m",
        "language": "de",
        "prompt": "model",
        "file": file,
    }


def test_the_stock_client_speaks_and_listens(client, api, names, three):
    model = f"{names[0]}/m"
    says(three[0], "speech")
    with client.audio.speech.with_streaming_response.create(model=model, input="Hello", voice="alloy") as response:
        assert b"".join(response.iter_bytes()) == SOUND
        call = the_call(api, response)
    assert (call["state"], call["streamed"], counted(call)) == ("settled", False, ("characters", 5, None))
    assert call["response_data"] == {"content_type": "audio/mpeg", "bytes": len(SOUND)}
    assert call["first_token_ms"] <= call["latency_ms"]

    usage = {"input_tokens": 4, "output_tokens": 9, "total_tokens": 13}
    three[0].feel(answer=event("speech.audio.delta", audio="AAAA") + event("speech.audio.done", usage=usage), headers=EVENTS)
    raw = client.audio.speech.with_raw_response.create(model=model, input="Hello", voice="alloy", stream_format="sse")
    assert b"speech.audio.done" in raw.content
    call = the_call(api, raw)
    assert (call["state"], call["streamed"], counted(call)) == ("settled", True, ("characters", 5, 13))

    says(three[0], "transcriptions")
    raw = client.audio.transcriptions.with_raw_response.create(model=model, file=FILE)
    assert raw.parse().text == "hello"
    assert counted(the_call(api, raw)) == ("seconds", 7, None)

    three[0].feel(answer=b"1\n00:00:00,000 --> 00:00:02,000\nhello\n", headers=TEXT)
    raw = client.audio.transcriptions.with_raw_response.create(model=model, file=FILE, response_format="srt")
    assert raw.text.endswith("hello\n")
    call = the_call(api, raw)
    assert (call["state"], call["unit"]) == ("estimated", None)
    assert call["completion_tokens"] > 0

    done = event("transcript.text.done", text="hello", usage={"type": "tokens", "input_tokens": 5, "output_tokens": 2})
    three[0].feel(answer=event("transcript.text.delta", delta="hello") + done, headers=EVENTS)
    events = list(client.audio.transcriptions.create(model=model, file=FILE, stream=True))
    assert [each.type for each in events] == ["transcript.text.delta", "transcript.text.done"]
    (call,) = eventually(lambda: [row for row in api.all("llm_calls", state="settled") if row["streamed"] and not row["unit"]])
    assert (call["endpoint"], call["total_tokens"]) == ("/audio/transcriptions", 7)


def test_the_stock_client_makes_images_and_moderates(client, api, names, three):
    model = f"{names[0]}/m"
    usage = {"input_tokens": 14, "output_tokens": 100, "total_tokens": 114}
    three[0].feel(answer=json.dumps({"created": 1, "data": [{"b64_json": "AAAA"}], "usage": usage}).encode(), headers=JSON)
    raw = client.images.with_raw_response.generate(model=model, prompt="a fox")
    assert raw.parse().data[0].b64_json == "AAAA"
    assert counted(the_call(api, raw)) == ("images", 1, 114)

    completed = event("image_generation.completed", b64_json="AAAA", usage=usage)
    three[0].feel(answer=event("image_generation.partial_image", b64_json="AA==") + completed, headers=EVENTS)
    stream = client.images.generate(model=model, prompt="a fox", stream=True, partial_images=1)
    assert [each.type for each in stream][-1] == "image_generation.completed"
    (call,) = eventually(lambda: [row for row in api.all("llm_calls", state="settled") if row["streamed"]])
    assert (call["endpoint"], counted(call)) == ("/images/generations", ("images", 1, 114))

    says(three[0], "moderations")
    assert client.moderations.create(model=model, input="hello").results[0].flagged is False


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    "mood",
    [
        {"status": 500, "answer": None},
        {"answer": b"", "headers": AUDIO},
        {"answer": json.dumps({"error": {"message": "the moon is full"}}).encode(), "headers": JSON},
        {"answer": b"<!DOCTYPE html><p>Please log in", "headers": (("content-type", "text/html"),)},
    ],
    ids=["status", "empty", "error", "html"],
)
def test_the_next_target_answers_in_place_of_one_that_fails(api, names, three, operation, mood):
    alias = add_route(api, to(names[0], order=0), to(names[1], order=1))
    three[0].feel(**mood)
    says(three[1], operation)
    response = ask(api, operation, alias)
    assert response.status_code == 200, response.text
    assert [name for name, _ in tried(the_call(api, response))] == names[:2]
    # With no other target, it is the client's error.
    response = ask(api, operation, f"{names[0]}/m")
    assert_error(response, (500, 502))
    assert the_call(api, response)["state"] == "failed"


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_provider_that_refuses_keeps_its_status_and_reason(api, names, three, operation):
    three[0].feel(status=400)
    error = assert_error(ask(api, operation, f"{names[0]}/m"), 400, "provider_refused_request")
    assert "answers 400" in error["message"]


def test_audio_that_breaks_off_breaks_off_for_the_client_too(api, names, three):
    says(three[0], "speech", cut="middle")
    path, body, _ = OPERATIONS["speech"]
    parts = []
    with api.http.stream("POST", path, json=body | {"model": f"{names[0]}/m"}) as response:
        with pytest.raises(httpx.RemoteProtocolError):
            parts.extend(response.iter_bytes())
        call = the_call(api, response)
    received = b"".join(parts)
    assert SOUND.startswith(received)
    assert len(received) <= call["response_data"]["bytes"] < len(SOUND)
    assert (call["state"], call["status_code"], counted(call)) == ("estimated", 200, ("characters", 5, None))
    assert "cut short" in call["error_message"]


def test_a_stream_that_ends_too_early_says_so(api, names, three):
    three[0].feel(answer=event("transcript.text.delta", delta="hel"), headers=EVENTS)
    response = ask(api, "transcriptions", f"{names[0]}/m", stream="true")
    last = json.loads(response.text.strip().split("\n\n")[-1].removeprefix("data: "))
    assert last["error"]["code"] == "provider_broke_off"
    call = the_call(api, response)
    assert call["state"] == "estimated"
    assert call["response_data"] == {"text": "hel"}


@pytest.mark.parametrize("operation", ["speech", "transcriptions"])
def test_a_slow_provider_times_out(api, three, operation):
    name = add_faulty(api, three[0], first_byte_timeout=1)
    says(three[0], operation, late=30)
    assert_error(ask(api, operation, f"{name}/m"), 504, "provider_timeout")


def test_a_budget_is_checked_before_by_what_the_request_asks_for(api, names, three):
    same_day()
    price = {"provider": names[0], "model": "*", "input_per_million": 0.0, "output_per_million": 0.0, "per_unit": 0.01}
    api.create("model_prices", price)
    caller, key = add_key(api)
    add_limit(api, "api_key", key, budget_per_day=0.045)
    for operation, refused in (("speech", {"input": "fifty"}), ("images", {"n": 5})):
        says(three[0], operation)
        assert_error(ask(caller, operation, f"{names[0]}/m", **refused), 429, "budget_day")
    assert ask(caller, "images", f"{names[0]}/m", n=2).status_code == 200
    (row,) = eventually(lambda: api.all("llm_calls", state="refused", endpoint="/images/generations"))
    assert (row["refusal"]["unit"], row["refusal"]["needed"]) == ("usd", 0.05)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_limits_scopes_and_tenants_hold_as_for_chats(deployment, api, names, three, operation):
    fresh_minute()
    model = f"{names[0]}/m"
    says(three[0], operation)
    other = deployment.tenant(unique("others"))
    assert_error(ask(other, operation, model), 404, "model_not_found", "model")
    reader = api.with_key(api.create("api_keys", {"name": unique("reader"), "scopes": ["usage:read"]})["key"])
    assert_error(ask(reader, operation, model), 403, "missing_permission")
    assert_error(ask(api.with_key(None), operation, model), 401)
    caller, key = add_key(api)
    add_limit(api, "api_key", key, requests_per_minute=0)
    response = eventually(lambda: (got := ask(caller, operation, model)).status_code == 429 and got)
    assert_error(response, 429, "rate_limit_requests")
    rows = eventually(lambda: len(rows := api.all("llm_calls", state="refused")) == 2 and rows)
    assert {row["refusal"]["code"] for row in rows} == {"missing_permission", "rate_limit_requests"}
    assert {row["endpoint"] for row in rows} == {OPERATIONS[operation][0].removeprefix("/v1")}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_without_the_endpoint_says_so(api, three, kind):
    name = unique(kind)
    config = {"base_url": three[0].base_url, "api_key": "sk"}
    api.create("ai_providers", {"name": name, "kind": kind, "config": config})
    has = {"speech", "transcriptions", "images"} if kind == "ollama" else set()
    for operation in OPERATIONS.keys() - has:
        error = assert_error(ask(api, operation, f"{name}/m"), 400, "unsupported_feature", "model")
        assert f"`{kind}`" in error["message"]
    assert three[0].asked == []
    for operation in has:
        says(three[0], operation)
        assert ask(api, operation, f"{name}/m").status_code == 200


def test_an_invalid_form_is_refused_with_the_reason(api, names, three):
    path = OPERATIONS["transcriptions"][0]
    assert_error(api.call("POST", path, json={"model": f"{names[0]}/m"}), 400, "invalid_form")
    assert_error(api.call("POST", path, files={"file": FILE}), 400, "invalid_value", "model")
    twice = {"model": [f"{names[0]}/m", "secret"]}
    assert_error(api.call("POST", path, data=twice, files={"file": FILE}), 400, "invalid_value", "model")
    whole = api.http.build_request("POST", path, data={"model": f"{names[0]}/m"}, files={"file": FILE})
    cut = api.http.post(path, content=whole.read()[:-20], headers={"content-type": whole.headers["content-type"]})
    assert_error(cut, 400, "invalid_form")
    assert three[0].asked == []


def test_a_file_that_is_too_large_is_refused(api, names, three):
    large = ("a.wav", bytes(21 << 20), "audio/wav")
    path = OPERATIONS["transcriptions"][0]
    response = api.call("POST", path, data={"model": f"{names[0]}/m"}, files={"file": large})
    assert_error(response, 413, "body_too_large")
    assert three[0].asked == []
