"""The `openai` package of PyPI, unmodified: only base URL and key point at Loam."""

from __future__ import annotations

import base64
import secrets

import openai
import pytest
from pydantic import BaseModel, Field

from support.api import calls_with, eventually

pytestmark = pytest.mark.one_database

MOCK = "mock/gpt-4o"
REAL = "local/smollm2-135m-instruct"


class Person(BaseModel):
    # Bounded, or a small model may write until it reaches its limit.
    name: str = Field(max_length=20)
    age: int = Field(ge=0, le=150)


WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture
def client(loam):
    with openai.OpenAI(base_url=loam.loam.base_url, api_key=loam.loam.key, max_retries=0) as made:
        yield made


@pytest.fixture
async def async_client(loam):
    async with openai.AsyncOpenAI(base_url=loam.loam.base_url, api_key=loam.loam.key, max_retries=0) as made:
        yield made


def says(text: str) -> list[dict]:
    return [{"role": "user", "content": text}]


def test_a_chat_completion_succeeds(client, model, ask):
    response = client.chat.completions.create(model=model, messages=says(ask("Say hello.")), max_tokens=16)
    assert response.choices[0].message.content
    assert response.usage.total_tokens == response.usage.prompt_tokens + response.usage.completion_tokens


def test_the_call_id_header_leads_to_the_recorded_call(client, api, ask):
    raw = client.chat.completions.with_raw_response.create(model=MOCK, messages=says(ask("Say hello.")))
    recorded = api.get(f"/api/v1/llm_calls/{raw.headers['x-loam-call-id']}")
    response = raw.parse()
    assert recorded["request_id"] == raw.headers["x-request-id"]
    assert (recorded["provider"], recorded["model"]) == ("mock", "gpt-4o")
    assert recorded["prompt_tokens"] == response.usage.prompt_tokens
    assert recorded["completion_tokens"] == response.usage.completion_tokens
    assert recorded["streamed"] is False
    assert response.choices[0].message.content in str(recorded["response_data"])


def test_a_stream_arrives_completely(client, model, ask):
    text = ask("Count to five.")
    pieces = []
    finish = None
    for chunk in client.chat.completions.create(model=model, messages=says(text), max_tokens=16, stream=True):
        assert chunk.usage is None, "usage that the client did not request has to stay hidden"
        assert chunk.choices, "a chunk without choices is usage that the client did not request"
        pieces.append(chunk.choices[0].delta.content or "")
        finish = chunk.choices[0].finish_reason or finish
    assert "".join(pieces)
    assert finish in ("stop", "length")


def test_a_stream_carries_usage_on_request(client, model, ask):
    stream = client.chat.completions.create(
        model=model, messages=says(ask("Count to three.")), max_tokens=16, stream=True, stream_options={"include_usage": True}
    )
    reported = [chunk.usage for chunk in stream if chunk.usage]
    assert len(reported) == 1
    assert reported[0].completion_tokens > 0


def test_structured_output_parses_into_the_model(client, model, ask):
    text = ask("Anna is 31 years old. Give her name and age.")
    response = client.chat.completions.parse(model=model, messages=says(text), response_format=Person, max_tokens=128)
    assert isinstance(response.choices[0].message.parsed, Person)


async def test_the_asynchronous_client_gets_a_response(async_client, model, ask):
    response = await async_client.chat.completions.create(model=model, messages=says(ask("Say hello.")), max_tokens=16)
    assert response.choices[0].message.content


async def test_the_asynchronous_client_streams(async_client, model, ask):
    stream = await async_client.chat.completions.create(model=model, messages=says(ask("Say hello.")), max_tokens=16, stream=True)
    assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream])


def test_models_lists_what_can_be_called(client, ask):
    ids = {model.id for model in client.models.list()}
    assert {MOCK, REAL} <= ids
    assert client.chat.completions.create(model=MOCK, messages=says(ask("Say hello."))).choices


def test_tools_are_offered_called_and_their_results_used(client, ask):
    messages = says(ask("What is the weather in Paris?", calls=2))
    first = client.chat.completions.create(model=MOCK, messages=messages, tools=[WEATHER])
    call = first.choices[0].message.tool_calls[0]
    assert call.function.name == "get_weather"
    messages.append(first.choices[0].message.model_dump(exclude_none=True))
    messages.append({"role": "tool", "tool_call_id": call.id, "content": "21 degrees"})
    second = client.chat.completions.create(model=MOCK, messages=messages, tools=[WEATHER])
    assert second.choices[0].message.content


def test_a_tool_call_can_be_streamed(client, ask):
    stream = client.chat.completions.create(
        model=MOCK, messages=says(ask("What is the weather in Paris?")), tools=[WEATHER], stream=True
    )
    parts = [call for chunk in stream for call in chunk.choices[0].delta.tool_calls or []]
    assert parts[0].function.name == "get_weather"
    assert "".join(part.function.arguments or "" for part in parts).startswith("{")


def test_embeddings_succeed(client, ask):
    model = "mock/text-embedding-3-small"
    response = client.embeddings.create(model=model, input=[ask("first"), "second"], encoding_format="float")
    assert [len(each.embedding) for each in response.data] == [1536, 1536]


def upstream_body(mock, marker: str) -> dict:
    """What the provider received."""
    bodies = [each["body"] for each in mock.requests() if marker in str(each["body"])]
    assert len(bodies) == 1
    return bodies[0]


def test_image_content_reaches_the_provider_untouched(client, mock, ask):
    text = ask("What is in this picture?")
    picture = "data:image/png;base64," + base64.b64encode(bytes(range(256)) * 64).decode()
    content = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": picture, "detail": "low"}}]
    client.chat.completions.create(model=MOCK, messages=[{"role": "user", "content": content}])
    assert upstream_body(mock, text)["messages"] == [{"role": "user", "content": content}]


def test_unknown_fields_reach_the_provider_untouched(client, mock, ask):
    text = ask("Say hello.")
    extra = {"x_future": {"deep": [1, 2.5, None, True, "é\u2028😀"]}, "reasoning_effort": "low", "x_big": 9007199254740993}
    client.chat.completions.create(model=MOCK, messages=says(text), temperature=0.25, seed=7, extra_body=extra)
    seen = upstream_body(mock, text)
    assert {name: seen[name] for name in extra} == extra
    assert (seen["model"], seen["temperature"], seen["seed"]) == ("gpt-4o", 0.25, 7)


def test_logprobs_and_unknown_fields_of_the_response_are_forwarded(client, ask):
    response = client.chat.completions.create(
        model=REAL, messages=says(ask("Say hello.")), max_tokens=4, logprobs=True, top_logprobs=2
    )
    tokens = response.choices[0].logprobs.content
    assert len(tokens) > 0
    assert all(len(token.top_logprobs) == 2 for token in tokens)
    assert response.model_extra["timings"]["predicted_n"] == response.usage.completion_tokens


def test_an_unknown_model_is_the_clients_not_found_error(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="no-such-model", messages=says("hello"))
    assert caught.value.code == "model_not_found"
    assert caught.value.param == "model"


def test_a_wrong_key_is_the_clients_authentication_error(loam):
    with (
        openai.OpenAI(base_url=loam.loam.base_url, api_key="loam_wrong", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.models.list()


def test_the_clients_own_retry_passes_a_rate_limit_and_every_attempt_is_recorded(loam, mock, api):
    """Two 429, then a success: the client retries, and every request that the provider received is recorded."""
    text = f"Say hello. [{secrets.token_hex(6)}]"
    mock.script({"type": "fail", "status": 429, "retry_after": 0.1, "times": 2, "match": {"model": "gpt-4o-mini"}})
    with openai.OpenAI(base_url=loam.loam.base_url, api_key=loam.loam.key, max_retries=3) as client:
        assert client.chat.completions.create(model="mock/gpt-4o-mini", messages=says(text)).choices[0].message.content
    assert sum(text in str(each["body"]) for each in mock.requests()) == 3

    def recorded() -> bool:
        rows = calls_with(api, text)
        assert sum(len(row["attempts"]) for row in rows) == 3, rows
        assert [row["state"] for row in rows].count("settled") == 1, rows
        assert {row["state"] for row in rows} <= {"settled", "failed"}, rows
        return True

    eventually(recorded)
