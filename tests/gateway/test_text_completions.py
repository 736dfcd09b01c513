"""OpenAI's legacy text completions: passed through to kinds that have them, translated for the others. The client is PyPI's
`openai`, unmodified."""

from __future__ import annotations

import json
from collections.abc import Iterator

import openai
import pytest

from services import Faulty
from support.api import Api, assert_error, eventually
from support.deployment import Deployment, deploy
from support.gateway import add_faulty, the_call, unique

pytestmark = pytest.mark.one_database

JSON = (("content-type", "application/json"),)
EVENTS = (("content-type", "text/event-stream"),)
USAGE = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
SHELL = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m"}
CLAUDE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": " there was"}],
    "stop_reason": "max_tokens",
    "usage": {"input_tokens": 5, "output_tokens": 3},
}
TRANSLATED = ["anthropic", "deepseek"]


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    """On SQLite only: none of this depends on the database."""
    with deploy("sqlite") as made:
        yield made


@pytest.fixture
def client(deployment: Deployment) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=deployment.loam.base_url, api_key=deployment.loam.key, max_retries=0) as made:
        yield made


def add(api: Api, faulty: Faulty, kind: str, path: str = "") -> str:
    """A provider of this kind; returns its model."""
    name = unique(kind)
    config = {"base_url": faulty.base_url + path, "api_key": "sk"}
    api.create("ai_providers", {"name": name, "kind": kind, "config": config})
    return f"{name}/m"


def event(data: dict | str, name: str | None = None) -> bytes:
    text = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()


def tells(faulty: Faulty, kind: str) -> None:
    """Let it say ` there was` in the kind's format."""
    choice = {"index": 0, "message": {"role": "assistant", "content": " there was"}, "finish_reason": "length"}
    chat = SHELL | {"object": "chat.completion", "choices": [choice], "usage": USAGE}
    faulty.feel(answer=json.dumps(CLAUDE if kind == "anthropic" else chat).encode(), headers=JSON)


@pytest.mark.parametrize(("kind", "path"), [("openai", ""), ("ollama", ""), ("qwen", ""), ("deepseek", "/beta")])
def test_a_completion_is_passed_through(client, api, three, kind, path):
    model = add(api, three[0], kind, path)
    choice = {"index": 0, "text": " there was", "logprobs": None, "finish_reason": "length"}
    three[0].feel(answer=json.dumps(SHELL | {"choices": [choice], "usage": USAGE}).encode(), headers=JSON)
    # Tokens, suffixes and log probabilities are the provider's business.
    raw = client.completions.with_raw_response.create(model=model, prompt=[[1, 2]], suffix="!", logprobs=2, best_of=2)
    assert raw.parse().choices[0].text == " there was"
    (asked,) = three[0].asked
    assert asked.path == f"/v1{path}/completions"
    assert asked.body == {"model": "m", "prompt": [[1, 2]], "suffix": "!", "logprobs": 2, "best_of": 2}
    call = the_call(api, raw)
    assert (call["endpoint"], call["state"], call["total_tokens"]) == ("/completions", "settled", 8)
    assert call["response_id"] == "cmpl-1"


@pytest.mark.parametrize("wants_usage", [True, False])
def test_a_stream_is_passed_through_with_its_usage_counted(client, api, three, wants_usage):
    model = f"{add_faulty(api, three[0])}/m"

    def chunk(**fields: object) -> bytes:
        return event(SHELL | fields)

    texts = [chunk(choices=[{"index": 0, "text": text, "finish_reason": None}]) for text in (" there", " was")]
    end = chunk(choices=[{"index": 0, "text": "", "finish_reason": "stop"}]) + chunk(choices=[], usage=USAGE) + event("[DONE]")
    three[0].feel(answer=b"".join(texts) + end, headers=EVENTS)
    options = {"stream_options": {"include_usage": True}} if wants_usage else {}
    chunks = list(client.completions.create(model=model, prompt="Once", stream=True, **options))
    assert "".join(each.choices[0].text for each in chunks if each.choices) == " there was"
    assert [each.usage.total_tokens for each in chunks if each.usage] == ([8] if wants_usage else [])
    assert three[0].asked[0].body["stream_options"] == {"include_usage": True}
    of_it = {"endpoint": "/completions", "provider": model.split("/")[0]}
    (call,) = eventually(lambda: [row for row in api.all("llm_calls", **of_it) if row["state"] != "open"])
    assert (call["state"], call["total_tokens"]) == ("settled", 8)
    shown = api.get(f"/api/v1/llm_calls/{call['id']}")["response_data"]
    assert (shown["object"], shown["choices"][0]["text"]) == ("text_completion", " there was")


@pytest.mark.parametrize("kind", TRANSLATED)
@pytest.mark.parametrize("prompt", ["Once upon a time", ["Once upon a time"]], ids=["text", "list"])
def test_a_completion_becomes_a_chat(client, api, three, kind, prompt):
    model = add(api, three[0], kind)
    tells(three[0], kind)
    raw = client.completions.with_raw_response.create(model=model, prompt=prompt, stop=["."], temperature=0.5, user="anna")
    completion = raw.parse()
    assert completion.object == "text_completion"
    assert completion.id.startswith("cmpl-")
    (choice,) = completion.choices
    assert (choice.text, choice.finish_reason, choice.index) == (" there was", "length", 0)
    assert completion.usage.total_tokens == 8
    (asked,) = three[0].asked
    assert asked.path == ("/v1/v1/messages" if kind == "anthropic" else "/v1/chat/completions")
    assert "Once upon a time" in str(asked.body["messages"])
    # OpenAI's default, which clients of this format expect.
    assert (asked.body["max_tokens"], asked.body["temperature"]) == (16, 0.5)
    assert asked.body["stop_sequences" if kind == "anthropic" else "stop"] == ["."]
    assert "prompt" not in asked.body
    call = the_call(api, raw)
    assert (call["endpoint"], call["state"], call["total_tokens"], call["end_user"]) == ("/completions", "settled", 8, "anna")
    assert call["request_data"]["prompt"] == prompt
    assert call["response_id"] == completion.id


@pytest.mark.parametrize("kind", TRANSLATED)
@pytest.mark.parametrize("wants_usage", [True, False])
def test_a_translated_completion_is_streamed(client, api, three, kind, wants_usage):
    model = add(api, three[0], kind)
    if kind == "anthropic":
        delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " there was"}}
        ended = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}}
        events = [
            {"type": "message_start", "message": CLAUDE | {"content": [], "usage": {"input_tokens": 5, "output_tokens": 0}}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            delta,
            {"type": "content_block_stop", "index": 0},
            ended,
            {"type": "message_stop"},
        ]
        three[0].feel(answer=b"".join(event(each, each["type"]) for each in events), headers=EVENTS)
    options = {"stream_options": {"include_usage": True}} if wants_usage else {}
    chunks = list(client.completions.create(model=model, prompt="Once", max_tokens=9, echo=True, stream=True, **options))
    text = "".join(each.choices[0].text for each in chunks if each.choices)
    assert text.startswith("Once")
    assert len(text) > len("Once")
    assert {each.object for each in chunks} == {"text_completion"}
    assert len({each.id for each in chunks}) == 1
    assert [each.choices[0].finish_reason for each in chunks if each.choices][-1] == "stop"
    assert len([each for each in chunks if each.usage]) == int(wants_usage)
    assert three[0].asked[0].body["max_tokens"] == 9


def test_the_prompt_is_repeated_on_request(client, api, three):
    model = add(api, three[0], "anthropic")
    tells(three[0], "anthropic")
    assert client.completions.create(model=model, prompt="Once", echo=True).choices[0].text == "Once there was"


@pytest.mark.parametrize("kind", TRANSLATED)
@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": [[1, 2]]}, "prompt"),
        ({"prompt": ["Once", "Twice"]}, "prompt"),
        ({"n": 2}, "n"),
        ({"best_of": 2}, "best_of"),
        ({"logprobs": 0}, "logprobs"),
        ({"suffix": "the end"}, "suffix"),
    ],
    ids=["tokens", "lists", "prompts", "n", "best_of", "logprobs", "suffix"],
)
def test_what_a_chat_cannot_do_is_refused(api, three, kind, fields, param):
    body = {"model": add(api, three[0], kind), "prompt": "Once"} | fields
    error = assert_error(api.call("POST", "/v1/completions", json=body), 400, "unsupported_feature")
    assert error["param"] == param
    assert three[0].asked == []


@pytest.mark.parametrize("prompt", [None, [], 7, {}])
def test_a_prompt_must_be_text(api, three, prompt):
    body = {"model": add(api, three[0], "anthropic"), "prompt": prompt}
    assert_error(api.call("POST", "/v1/completions", json=body), 400, "invalid_value", "prompt")


def test_a_provider_that_breaks_off_says_so(api, three):
    model = add(api, three[0], "deepseek")
    delta = {"choices": [{"index": 0, "delta": {"content": " there"}, "finish_reason": None}]}
    three[0].feel(answer=event(delta), headers=EVENTS)
    response = api.call("POST", "/v1/completions", json={"model": model, "prompt": "Once", "stream": True})
    last = json.loads(response.text.strip().split("\n\n")[-1].removeprefix("data: "))
    assert last["error"]["code"] == "provider_broke_off"
    assert "[DONE]" not in response.text
    assert the_call(api, response)["state"] == "estimated"
