"""PyPI's `anthropic`, unmodified, over providers of OpenAI's format and of Anthropic's; and `openai` over the latter."""

from __future__ import annotations

import base64

import anthropic
import openai
import pytest

from services import LlMock
from support.api import Api, calls_with, eventually
from support.deployment import MOCK_MODELS, PROVIDER_SECRET, Deployment

pytestmark = pytest.mark.one_database

CLAUDE = "claude/claude-sonnet-4-5"
# One transparent pixel.
PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360000002000001"
        "e221bc330000000049454e44ae426082"
    )
).decode()
WEATHER = {
    "name": "get_weather",
    "description": "The weather at a place.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture(scope="module", autouse=True)
def claude(loam: Deployment, mock: LlMock) -> None:
    """The mock again, in Anthropic's format."""
    config = {"base_url": f"{mock.url}/anthropic", "api_key": PROVIDER_SECRET, "models": ["claude-sonnet-4-5"]}
    loam.api.create("ai_providers", {"name": "claude", "kind": "anthropic", "config": config})


@pytest.fixture(params=[f"mock/{MOCK_MODELS[0]}", CLAUDE], ids=["openai-provider", "anthropic-provider"])
def any_model(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def client(loam: Deployment) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=f"{loam.loam.url}/anthropic", api_key=loam.loam.key, max_retries=0)


def test_a_message_succeeds(client, ask, any_model):
    response = client.messages.create(
        model=any_model,
        max_tokens=200,
        system="You are brief.",
        messages=[{"role": "user", "content": ask("Say hello")}],
    )
    assert response.type == "message"
    assert response.role == "assistant"
    assert response.content[0].type == "text"
    assert response.content[0].text
    assert response.stop_reason in ("end_turn", "max_tokens")
    assert response.usage.input_tokens > 0
    assert response.usage.output_tokens > 0


def test_a_stream_adds_up_to_the_message(client, ask, any_model):
    with client.messages.stream(
        model=any_model, max_tokens=200, messages=[{"role": "user", "content": ask("Tell me of rain")}]
    ) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text
    assert final.content[0].text == text
    assert final.stop_reason == "end_turn"
    assert final.usage.output_tokens > 0


@pytest.mark.parametrize("streamed", [False, True], ids=["complete", "streamed"])
def test_tools_are_called_and_their_results_sent_back(client, ask, any_model, streamed):
    prompt = ask("What is the weather in Paris?", calls=2)
    request = {"model": any_model, "max_tokens": 200, "tools": [WEATHER]}
    messages = [{"role": "user", "content": prompt}]
    if streamed:
        with client.messages.stream(**request, messages=messages) as stream:
            response = stream.get_final_message()
    else:
        response = client.messages.create(**request, messages=messages)
    assert response.stop_reason == "tool_use"
    call = next(block for block in response.content if block.type == "tool_use")
    assert call.name == "get_weather"
    assert isinstance(call.input, dict)
    messages.append({"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in response.content]})
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "Sunny, 22 °C"}
    messages.append({"role": "user", "content": [result]})
    final = client.messages.create(**request, messages=messages)
    assert final.content[0].type == "text"
    assert final.content[0].text


def test_an_image_is_sent(client, ask, any_model, mock):
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    response = client.messages.create(
        model=any_model,
        max_tokens=100,
        messages=[{"role": "user", "content": [image, {"type": "text", "text": ask("What is this?")}]}],
    )
    assert response.content[0].text
    assert PIXEL in str(mock.requests()[-1]["body"])


def test_tokens_are_counted_without_a_call(client, mock, any_model):
    before = len(mock.requests())
    count = client.messages.count_tokens(model=any_model, messages=[{"role": "user", "content": "one two three four"}])
    assert 4 <= count.input_tokens <= 30
    assert len(mock.requests()) == before


def test_errors_are_anthropics(loam, client):
    with pytest.raises(anthropic.NotFoundError) as unknown:
        client.messages.create(model="nowhere/none", max_tokens=9, messages=[{"role": "user", "content": "hi"}])
    assert unknown.value.body["type"] == "error"
    assert unknown.value.body["error"]["type"] == "not_found_error"
    stranger = anthropic.Anthropic(base_url=f"{loam.loam.url}/anthropic", api_key="loam_wrong", max_retries=0)
    with pytest.raises(anthropic.AuthenticationError) as refused:
        stranger.messages.create(model=CLAUDE, max_tokens=9, messages=[{"role": "user", "content": "hi"}])
    assert refused.value.body["error"]["type"] == "authentication_error"


@pytest.mark.parametrize("streamed", [False, True], ids=["complete", "streamed"])
def test_an_openai_client_talks_to_an_anthropic_provider(loam, ask, streamed):
    client = openai.OpenAI(base_url=f"{loam.loam.url}/v1", api_key=loam.loam.key, max_retries=0)
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": ask("Say hello")}]
    if streamed:
        chunks = list(
            client.chat.completions.create(model=CLAUDE, messages=messages, stream=True, stream_options={"include_usage": True})
        )
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert text
        assert chunks[-1].usage.total_tokens > 0
        assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    else:
        response = client.chat.completions.create(model=CLAUDE, messages=messages)
        assert response.choices[0].message.content
        assert response.usage.total_tokens > 0


def test_the_recorded_response_equals_what_the_client_received(api: Api, client, ask):
    """A stream in Anthropic's format is assembled for the record like any other."""
    prompt = ask("Keep this")
    with client.messages.stream(model=CLAUDE, max_tokens=200, messages=[{"role": "user", "content": prompt}]) as stream:
        text = "".join(stream.text_stream)
    marker = prompt.split("[")[1].rstrip("]")
    row = eventually(lambda: calls_with(api, marker))[0]
    recorded = api.get(f"/api/v1/llm_calls/{row['id']}")["response_data"]
    assert recorded["content"][0]["text"] == text
    assert recorded["usage"]["output_tokens"] > 0
    assert row["endpoint"] == "/messages"
