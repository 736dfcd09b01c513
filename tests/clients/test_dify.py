"""Dify applications, called by stock clients as models."""

from __future__ import annotations

import itertools
import secrets

import anthropic
import openai
import pytest

from services import Dify
from support.api import calls_with, eventually

pytestmark = pytest.mark.one_database

CHAT = "app/support"
AGENT = "agent/support"


@pytest.fixture(scope="module")
def dify():
    with Dify() as server:
        yield server


@pytest.fixture(scope="module")
def agent():
    with Dify(agent=True) as server:
        yield server


@pytest.fixture(scope="module", autouse=True)
def applications(loam, dify, agent):
    made = []
    for name, server in (("app", dify), ("agent", agent)):
        config = {"base_url": server.base_url, "api_key": server.key, "models": ["support"], "agent": name == "agent"}
        made.append(loam.api.create("ai_providers", {"name": name, "kind": "dify", "config": config}))
    yield
    for each in made:
        loam.api.call("DELETE", f"/api/v1/ai_providers/{each['id']}", 204)


@pytest.fixture
def client(loam):
    with openai.OpenAI(base_url=loam.loam.base_url, api_key=loam.loam.key, max_retries=0) as made:
        yield made


@pytest.fixture
def anthropic_client(loam):
    with anthropic.Anthropic(base_url=f"{loam.loam.url}/anthropic", auth_token=loam.loam.key, max_retries=0) as made:
        yield made


def says(text: str) -> list[dict]:
    return [{"role": "user", "content": text}]


@pytest.mark.parametrize("model", [CHAT, AGENT])
@pytest.mark.parametrize("stream", [False, True])
def test_a_query_gets_a_response_with_usage(client, model, stream, ask):
    text = ask("Grüße?")
    if stream:
        options = {"stream": True, "stream_options": {"include_usage": True}}
        chunks = list(client.chat.completions.create(model=model, messages=says(text), **options))
        text_seen = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        usage = next(chunk.usage for chunk in chunks if chunk.usage)
    else:
        response = client.chat.completions.create(model=model, messages=says(text))
        text_seen, usage = response.choices[0].message.content, response.usage
    assert text_seen == f"It is said that {text}"
    # The application counts words.
    assert (usage.prompt_tokens, usage.completion_tokens) == (len(text.split()), len(text_seen.split()))


@pytest.mark.parametrize("stream", [False, True])
def test_a_conversation_is_continued(client, stream, ask):
    text = ask("Who?", calls=2)

    def response(**extra) -> tuple[str, dict]:
        got = client.chat.completions.create(model=CHAT, messages=says(text), user="anna", stream=stream, extra_body=extra)
        if not stream:
            return got.choices[0].message.content, got.model_extra["dify"]
        chunks = list(got)
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks), chunks[0].model_extra["dify"]

    first, first_ids = response()
    assert "After" not in first
    second, second_ids = response(dify={"conversation_id": first_ids["conversation_id"]})
    assert second.endswith("After 1 questions.")
    assert second_ids["conversation_id"] == first_ids["conversation_id"]


def test_a_conversation_belongs_to_its_user(client):
    first = client.chat.completions.create(model=CHAT, messages=says("hello"), user="anna")
    metadata = {"conversation_id": first.model_extra["dify"]["conversation_id"]}
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model=CHAT, messages=says("hello"), user="ben", metadata=metadata)
    again = client.chat.completions.create(model=CHAT, messages=says("hello"), user="anna", metadata=metadata)
    assert again.choices[0].message.content.endswith("After 1 questions.")


@pytest.mark.parametrize("stream", [False, True])
def test_anthropics_client_gets_a_response(anthropic_client, stream, ask):
    text = ask("Hello?")
    fields = {"model": CHAT, "messages": says(text), "max_tokens": 100, "metadata": {"user_id": "u-1"}}
    if stream:
        with anthropic_client.messages.stream(**fields) as got:
            assert "".join(got.text_stream) == f"It is said that {text}"
            message = got.get_final_message()
    else:
        message = anthropic_client.messages.create(**fields)
    assert message.content[0].text == f"It is said that {text}"
    assert message.stop_reason == "end_turn"
    assert message.usage.input_tokens == len(text.split())
    assert message.model_extra["dify"]["conversation_id"]


@pytest.mark.parametrize("stream", [False, True])
def test_the_responses_client_gets_a_response(client, stream, ask):
    text = ask("Grüße?", calls=2)
    fields = {"model": CHAT, "input": text, "metadata": {"topic": "greetings"}}
    if stream:
        with client.responses.stream(**fields) as events:
            response = events.get_final_response()
    else:
        response = client.responses.create(**fields)
    assert response.output_text == f"It is said that {text}"
    assert response.usage.output_tokens == len(response.output_text.split())
    conversation = {"conversation_id": response.dify["conversation_id"]}
    assert client.responses.create(model=CHAT, input=text, extra_body={"dify": conversation}).output_text
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model=CHAT, input="hello", text={"format": {"type": "json_object"}})
    assert (caught.value.code, caught.value.param) == ("unsupported_feature", "text.format")


def test_the_application_gets_inputs_images_user_and_history(client, dify, ask):
    text = ask("And now?")
    picture = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    content = [{"type": "text", "text": text}, picture]
    past = [{"role": "system", "content": "Be kind."}, *says("Hi"), {"role": "assistant", "content": "Hello."}]
    messages = [*past, {"role": "user", "content": content}]
    inputs = {"dify": {"inputs": {"city": "Oslo"}}}
    client.chat.completions.create(model=CHAT, messages=messages, user="u-7", extra_body=inputs)
    [body] = [each["body"] for each in dify.requests() if text in str(each["body"])]
    assert body == {
        "query": f"Be kind.\n\nUser: Hi\n\nAssistant: Hello.\n\nUser: {text}",
        "inputs": {"city": "Oslo"},
        "response_mode": "blocking",
        "user": "u-7",
        "files": [{"type": "image", "transfer_method": "remote_url", "url": "https://example.org/a.png"}],
    }


def test_an_unsupported_feature_is_rejected_without_a_request(client, dify):
    before = len(dify.requests())
    function = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    for field, value in {"tools": [function], "stop": ["END"], "n": 2, "response_format": {"type": "json_object"}}.items():
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(model=CHAT, messages=says("hello"), **{field: value})
        assert (caught.value.code, caught.value.param) == ("unsupported_feature", field)
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(model=CHAT, input="hello")
    assert len(dify.requests()) == before


def test_its_errors_keep_their_meaning(client):
    def fail(code: str) -> dict:
        return {"dify": {"inputs": {"fail": code}}}

    expected = {
        "invalid_param": (400, "provider_refused_request"),
        "provider_quota_exceeded": (402, "provider_out_of_credit"),
        "app_unavailable": (502, "provider_failed"),
        "completion_request_error": (502, "provider_failed"),
        "internal_server_error": (500, "provider_failed"),
    }
    for code, (status, ours) in expected.items():
        with pytest.raises(openai.APIStatusError) as caught:
            client.chat.completions.create(model=CHAT, messages=says("hello"), extra_body=fail(code))
        assert (caught.value.status_code, caught.value.code) == (status, ours), code


@pytest.mark.parametrize("fault", ["fail_after", "cut_after"])
def test_a_failing_stream_is_an_error_and_is_recorded(client, api, fault):
    text = f"Tell me. [{secrets.token_hex(6)}]"
    extra = {"dify": {"inputs": {fault: 2}}}
    stream = client.chat.completions.create(model=CHAT, messages=says(text), stream=True, extra_body=extra)
    # The two chunks before the failure.
    text_seen = itertools.islice(stream, 3)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in text_seen) == "It is said tha"
    with pytest.raises(openai.APIError):
        next(stream)

    def recorded() -> bool:
        rows = calls_with(api, text)
        assert [row["state"] for row in rows] == ["estimated"], rows
        assert rows[0]["error_message"], rows
        return True

    eventually(recorded)


def test_a_moderated_response_is_marked(client):
    extra = {"dify": {"inputs": {"replace": "I can't say."}}}
    chunks = list(client.chat.completions.create(model=CHAT, messages=says("hello"), stream=True, extra_body=extra))
    assert chunks[-1].choices[0].finish_reason == "content_filter"
    complete = client.chat.completions.create(model=AGENT, messages=says("hello"), extra_body=extra)
    assert complete.choices[0].message.content == "I can't say."
