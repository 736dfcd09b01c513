"""Requests translated between formats: stock clients of either, and what the provider received."""

from __future__ import annotations

import base64
import json

import anthropic
import openai
import pytest

pytestmark = pytest.mark.one_database

MOCK = "mock/gpt-4o"
REAL = "local/smollm2-135m-instruct"
CLAUDE = "native/claude-haiku-4-5"
WEATHER = {
    "name": "get_weather",
    "description": "The weather in a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
PICTURE = base64.b64encode(bytes(range(256)) * 16).decode()


@pytest.fixture(scope="module", autouse=True)
def claude(loam, mock):
    """The mock's Anthropic API."""
    config = {"base_url": f"{mock.url}/anthropic", "api_key": "sk-ant-test", "models": ["claude-haiku-4-5"]}
    made = loam.api.create("ai_providers", {"name": "native", "kind": "anthropic", "config": config})
    yield
    loam.api.call("DELETE", f"/api/v1/ai_providers/{made['id']}", 204)


@pytest.fixture
def client(loam):
    with anthropic.Anthropic(base_url=f"{loam.loam.url}/anthropic", auth_token=loam.loam.key, max_retries=0) as made:
        yield made


@pytest.fixture
def openai_client(loam):
    with openai.OpenAI(base_url=loam.loam.base_url, api_key=loam.loam.key, max_retries=0) as made:
        yield made


def says(text: str) -> list[dict]:
    return [{"role": "user", "content": text}]


def upstream_body(mock, marker: str) -> dict:
    """What the provider received."""
    bodies = [each["body"] for each in mock.requests() if marker in str(each["body"])]
    assert len(bodies) == 1
    return bodies[0]


def test_an_image_reaches_a_provider_of_openais_format(client, mock, ask):
    text = ask("What is in this picture?")
    source = {"type": "base64", "media_type": "image/png", "data": PICTURE}
    content = [{"type": "image", "source": source}, {"type": "text", "text": text}]
    client.messages.create(model=MOCK, messages=[{"role": "user", "content": content}], max_tokens=16)
    url = {"url": f"data:image/png;base64,{PICTURE}"}
    expected = [{"type": "image_url", "image_url": url}, {"type": "text", "text": text}]
    assert upstream_body(mock, text)["messages"] == [{"role": "user", "content": expected}]


def test_a_message_reaches_a_provider_of_its_own_format_unchanged(client, mock, ask):
    text = ask("Say hello.")
    extra = {"x_future": {"deep": [1, 2.5, None, True, "é\u2028😀"]}}
    client.messages.create(model=CLAUDE, messages=says(text), max_tokens=16, stop_sequences=["END"], extra_body=extra)
    expected = {"model": "claude-haiku-4-5", "messages": says(text), "max_tokens": 16, "stop_sequences": ["END"]} | extra
    assert upstream_body(mock, text) == expected


@pytest.mark.parametrize("stream", [False, True])
def test_a_real_model_serves_anthropics_client(client, stream, ask):
    fields = {"model": REAL, "system": "Be brief.", "messages": says(ask("Count to five.")), "max_tokens": 16}
    if stream:
        with client.messages.stream(**fields) as got:
            text = "".join(got.text_stream)
            message = got.get_final_message()
        assert message.content[0].text == text
    else:
        message = client.messages.create(**fields)
    assert message.content[0].text
    assert message.stop_reason in ("end_turn", "max_tokens")
    assert message.usage.input_tokens > 5
    assert 0 < message.usage.output_tokens <= 16


def test_a_document_becomes_a_file_at_a_provider_of_openais_format(client, mock, ask):
    source = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
    text = ask("What does it say?")
    content = [{"type": "document", "source": source, "title": "a.pdf"}, {"type": "text", "text": text}]
    client.messages.create(model=MOCK, messages=[{"role": "user", "content": content}], max_tokens=1)
    file = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}}
    assert upstream_body(mock, text)["messages"][0]["content"][0] == file


def test_a_rate_limit_of_the_provider_reaches_the_client(client, mock):
    for model in ("gpt-4o", "claude-haiku-4-5"):
        mock.script({"type": "fail", "status": 429, "retry_after": 1, "times": 20, "match": {"model": model}})
        name = MOCK if model == "gpt-4o" else CLAUDE
        with pytest.raises(anthropic.RateLimitError):
            client.messages.create(model=name, messages=says("hello"), max_tokens=1)
        mock.reset()


def test_openais_client_gets_a_response_from_a_provider_of_anthropics_format(openai_client, mock, ask):
    text = ask("Say hello.")
    messages = [{"role": "system", "content": "Be brief."}, *says(text)]
    response = openai_client.chat.completions.create(model=CLAUDE, messages=messages, temperature=0.5, stop="END")
    assert response.choices[0].message.content
    assert response.choices[0].finish_reason == "stop"
    assert response.usage.total_tokens == response.usage.prompt_tokens + response.usage.completion_tokens
    assert upstream_body(mock, text) == {
        "model": "claude-haiku-4-5",
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": text}]}],
        "max_tokens": 4096,
        "temperature": 0.5,
        "stop_sequences": ["END"],
    }


def test_openais_client_streams_from_a_provider_of_anthropics_format(openai_client, ask):
    stream = openai_client.chat.completions.create(
        model=CLAUDE, messages=says(ask("Count to five.")), stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert [chunk.usage.completion_tokens > 0 for chunk in chunks if chunk.usage] == [True]
    assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] == ["stop"]


def test_openais_client_calls_tools_of_a_provider_of_anthropics_format(openai_client, ask):
    function = {"name": "get_weather", "description": "The weather in a city.", "parameters": WEATHER["input_schema"]}
    tools = [{"type": "function", "function": function}]
    messages = says(ask("What is the weather in Paris?", calls=2))
    first = openai_client.chat.completions.create(model=CLAUDE, messages=messages, tools=tools)
    assert first.choices[0].finish_reason == "tool_calls"
    call = first.choices[0].message.tool_calls[0]
    assert call.function.name == "get_weather"
    assert isinstance(json.loads(call.function.arguments), dict)
    messages.append(first.choices[0].message.model_dump(exclude_none=True))
    messages.append({"role": "tool", "tool_call_id": call.id, "content": "21 degrees"})
    second = openai_client.chat.completions.create(model=CLAUDE, messages=messages, tools=tools)
    assert second.choices[0].message.content


def test_openais_client_gets_an_error_for_features_that_anthropic_lacks(openai_client):
    with pytest.raises(openai.BadRequestError) as caught:
        openai_client.chat.completions.create(model=CLAUDE, messages=says("hello"), n=2)
    assert (caught.value.code, caught.value.param) == ("unsupported_feature", "n")
    with pytest.raises(openai.BadRequestError) as caught:
        openai_client.embeddings.create(model=CLAUDE, input="hello")
    assert caught.value.code == "unsupported_feature"


def test_a_long_user_id_is_shortened_for_the_provider_and_kept_for_the_call(loam, mock, ask):
    # As Claude Code sends it.
    name = "user_" + "0123456789abcdef" * 9 + "_"
    text = ask("who am I?", calls=2)
    body = {"model": MOCK, "max_tokens": 9, "metadata": {"user_id": name}, "messages": says(text)}
    for _ in range(2):
        call = loam.api.call("POST", "/anthropic/v1/messages", 200, json=body).headers["x-loam-call-id"]
        assert loam.api.get(f"/api/v1/llm_calls/{call}")["end_user"] == name
    first, again = [each["body"]["user"] for each in mock.requests() if text in str(each["body"])]
    assert (len(name), len(first)) == (150, 64)
    assert first == again
