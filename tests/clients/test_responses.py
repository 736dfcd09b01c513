"""OpenAI's Responses API with the stock `openai` package, over providers that have it and over those that lack it."""

from __future__ import annotations

import base64
import json

import openai
import pytest
from pydantic import BaseModel, Field

from support.deployment import MOCK_MODELS, PROVIDER_SECRET

pytestmark = pytest.mark.one_database

NATIVE = "mock/gpt-4o"
CHAT = "chat/gpt-4o"
CLAUDE = "messages/claude-haiku-4-5"
REAL = "realchat/smollm2-135m-instruct"
MODELS = [NATIVE, CHAT, CLAUDE, REAL]
WITH_TOOLS = [NATIVE, CHAT, CLAUDE]
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
SEARCH = {"type": "web_search"}


class Person(BaseModel):
    name: str = Field(max_length=20)
    age: int = Field(ge=0, le=150)


@pytest.fixture(scope="module", autouse=True)
def providers(loam, mock, real):
    """The mock's chat completions and Anthropic's API, and the real model's chat completions."""
    chat = {"base_url": mock.base_url, "api_key": PROVIDER_SECRET, "models": MOCK_MODELS, "responses": "translated"}
    own = {"base_url": real.base_url, "models": [real.model], "responses": "translated"}
    claude = {"base_url": f"{mock.url}/anthropic", "api_key": PROVIDER_SECRET, "models": ["claude-haiku-4-5"]}
    kinds = {"chat": ("openai", chat), "realchat": ("openai", own), "messages": ("anthropic", claude)}
    made = [
        loam.api.create("ai_providers", {"name": name, "kind": kind, "config": config}) for name, (kind, config) in kinds.items()
    ]
    yield
    for each in made:
        loam.api.call("DELETE", f"/api/v1/ai_providers/{each['id']}", 204)


@pytest.fixture
def client(loam):
    with openai.OpenAI(base_url=loam.loam.base_url, api_key=loam.loam.key, max_retries=0) as made:
        yield made


def received(mock, marker: str) -> list[dict]:
    """What the providers received, in order."""
    return [each["body"] for each in mock.requests() if marker in str(each["body"])]


@pytest.mark.parametrize("model", MODELS)
def test_a_response_succeeds(client, api, model, ask):
    raw = client.responses.with_raw_response.create(model=model, input=ask("Say hello."), max_output_tokens=16)
    response = raw.parse()
    assert response.output_text
    assert response.status in ("completed", "incomplete")
    usage = response.usage
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    call = api.get(f"/api/v1/llm_calls/{raw.headers['x-loam-call-id']}")
    assert (call["endpoint"], call["prompt_tokens"]) == ("/responses", usage.input_tokens)
    assert call["response_data"]["id"] == response.id
    if model != NATIVE:
        assert response.id == f"resp_loam_{call['id'].replace('-', '')}"


@pytest.mark.parametrize("model", MODELS)
def test_a_stream_has_the_whole_sequence_of_events(client, model, ask):
    with client.responses.stream(model=model, input=ask("Count to five."), max_output_tokens=16) as stream:
        events = list(stream)
        response = stream.get_final_response() if events[-1].type == "response.completed" else events[-1].response
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == response.output_text
    assert response.output_text
    names = list(dict.fromkeys(event.type for event in events))
    assert names == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        f"response.{response.status}",
    ]
    assert response.usage.output_tokens > 0


@pytest.mark.parametrize("model", WITH_TOOLS)
@pytest.mark.parametrize("stream", [False, True])
def test_tools_are_called_and_their_results_used(client, model, stream, ask):
    items = [{"role": "user", "content": ask("What is the weather in Paris?", calls=2)}]
    fields = {"model": model, "tools": [WEATHER], "store": False, "include": ["reasoning.encrypted_content"]}
    if stream:
        with client.responses.stream(input=items, **fields) as events:
            pieces = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
            first = events.get_final_response()
        assert "".join(pieces) == next(item for item in first.output if item.type == "function_call").arguments
    else:
        first = client.responses.create(input=items, **fields)
    calls = [item for item in first.output if item.type == "function_call"]
    assert [call.name for call in calls] == ["get_weather"]
    assert isinstance(json.loads(calls[0].arguments), dict)
    items += [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in first.output]
    items.append({"type": "function_call_output", "call_id": calls[0].call_id, "output": "21 degrees"})
    second = client.responses.create(input=items, **fields)
    assert second.output_text


@pytest.mark.parametrize("model", [CHAT, CLAUDE])
@pytest.mark.parametrize("stream", [False, True])
def test_a_response_is_continued_by_its_id(client, mock, model, stream, ask):
    text = ask("What is the weather in Paris?", calls=2)
    fields = {"model": model, "tools": [WEATHER, SEARCH], "instructions": "Be brief."}
    if stream:
        with client.responses.stream(input=text, **fields) as events:
            first = events.get_final_response()
    else:
        first = client.responses.create(input=text, **fields)
    assert [tool.type for tool in first.tools] == ["function"], "what the provider was not offered is left out"
    call = next(item for item in first.output if item.type == "function_call")
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "21 degrees"}
    second = client.responses.create(model=model, tools=[WEATHER], previous_response_id=first.id, input=[result])
    assert (second.previous_response_id, bool(second.output_text)) == (first.id, True)
    bodies = received(mock, text)
    assert len(bodies) == 2
    roles = [message["role"] for message in bodies[1]["messages"]]
    assert roles == (["user", "assistant", "user"] if model == CLAUDE else ["user", "assistant", "tool"])
    assert "Be brief." not in str(bodies[1]), "instructions are those of each request"


def test_only_a_stored_response_of_the_caller_can_be_continued(client, loam, ask):
    text = ask("Say hello.", calls=2)
    stored = client.responses.create(model=CHAT, input=text)
    unstored = client.responses.create(model=CHAT, input=text, store=False)

    def refusal(key: str, response: str, model: str = CHAT) -> str:
        with (
            openai.OpenAI(base_url=loam.loam.base_url, api_key=key, max_retries=0) as other,
            pytest.raises(openai.BadRequestError) as caught,
        ):
            other.responses.create(model=model, input="And now?", previous_response_id=response)
        assert (caught.value.code, caught.value.param) == ("previous_response_not_found", "previous_response_id")
        return caught.value.message

    own = loam.loam.key
    assert "store: false" in refusal(own, unstored.id)
    assert "not stored" in refusal(own, "resp_loam_01a22bf5a85d77c38c7f39a23d40da71")
    # One that a provider stores is not in another's hands.
    for model in (CHAT, CLAUDE):
        assert "that Loam stored" in refusal(own, "resp_67ccd2bed1ec8190b14f964abc054267", model)
    caller = loam.api.create("api_keys", {"name": "caller", "scopes": ["gateway:call"]})["key"]
    assert "not stored" in refusal(caller, stored.id)
    assert "not stored" in refusal(caller, unstored.id)
    # In another tenant even with every permission.
    api = loam.tenant("responses")
    config = {"base_url": "http://127.0.0.1:9/v1", "responses": "translated"}
    api.create("ai_providers", {"name": "chat", "kind": "openai", "config": config})
    assert "not stored" in refusal(api.key, stored.id)


def test_a_caller_continues_its_own_responses_and_a_reader_of_calls_all(client, loam, ask):
    scopes = {"caller": ["gateway:call"], "reader": ["gateway:call", "llm_calls:read"]}
    keys = {name: loam.api.create("api_keys", {"name": name, "scopes": each})["key"] for name, each in scopes.items()}
    text = ask("Say hello.", calls=3)
    with openai.OpenAI(base_url=loam.loam.base_url, api_key=keys["caller"], max_retries=0) as caller:
        first = caller.responses.create(model=CHAT, input=text)
        assert caller.responses.create(model=CHAT, input="And now?", previous_response_id=first.id).output_text
    with openai.OpenAI(base_url=loam.loam.base_url, api_key=keys["reader"], max_retries=0) as reader:
        assert reader.responses.create(model=CLAUDE, input="And now?", previous_response_id=first.id).output_text


@pytest.mark.parametrize("model", [CHAT, REAL])
def test_structured_output_parses_into_the_model(client, model, ask):
    text = ask("Anna is 31 years old. Give her name and age.")
    response = client.responses.parse(model=model, input=text, text_format=Person, max_output_tokens=128)
    assert isinstance(response.output_parsed, Person)


def test_an_image_reaches_each_provider(client, mock, ask):
    picture = "data:image/png;base64," + base64.b64encode(bytes(range(256)) * 16).decode()
    for model in (NATIVE, CHAT, CLAUDE):
        text = ask("What is in this picture?")
        content = [{"type": "input_text", "text": text}, {"type": "input_image", "image_url": picture, "detail": "low"}]
        client.responses.create(model=model, input=[{"role": "user", "content": content}])
        (body,) = received(mock, text)
        part = body["input" if model == NATIVE else "messages"][0]["content"][1]
        if model == CLAUDE:
            source = {"type": "base64", "media_type": "image/png", "data": picture.partition(",")[2]}
            assert part == {"type": "image", "source": source}
        elif model == CHAT:
            assert part == {"type": "image_url", "image_url": {"url": picture, "detail": "low"}}
        else:
            assert body["input"] == [{"role": "user", "content": content}]


async def test_the_asynchronous_client_streams(loam, ask):
    async with openai.AsyncOpenAI(base_url=loam.loam.base_url, api_key=loam.loam.key, max_retries=0) as client:
        stream = await client.responses.create(model=CLAUDE, input=ask("Say hello."), stream=True)
        events = [event async for event in stream]
    assert events[-1].type == "response.completed"


def test_a_client_of_web_sockets_is_told_to_use_http(api):
    headers = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    headers["sec-websocket-key"] = base64.b64encode(bytes(16)).decode()
    answer = api.http.get("/v1/responses", headers=headers)
    assert answer.status_code == 426
    error = answer.json()["error"]
    assert (error["code"], "POST" in error["message"]) == ("web_socket_not_supported", True)
    assert api.http.get("/v1/responses").status_code == 405
