"""Calls that name a session with `x-loam-session-id`: their messages are stored in it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from services import Faulty, LlMock, Postgres
from support.api import Api, assert_error, eventually
from support.deployment import PROVIDER_SECRET, Deployment, add_usual_providers, deploy

MODEL = "mock/gpt-4o"
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


@pytest.fixture(scope="module")
def gateway(deployment: Deployment, mock: LlMock, slow: LlMock) -> Deployment:
    add_usual_providers(deployment, mock, slow)
    config = {"base_url": f"{mock.url}/anthropic", "api_key": PROVIDER_SECRET, "models": ["claude-sonnet-4-5"]}
    deployment.api.create("ai_providers", {"name": "claude", "kind": "anthropic", "config": config})
    return deployment


@pytest.fixture
def api(gateway: Deployment) -> Api:
    return gateway.api


@pytest.fixture
def session(api: Api) -> str:
    return api.create("chat_sessions", {})["id"]


def openai_client(api: Api, session: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{api.url}/v1", api_key=api.key, max_retries=0, default_headers={"x-loam-session-id": session})


def anthropic_client(api: Api, session: str) -> anthropic.Anthropic:
    headers = {"x-loam-session-id": session}
    return anthropic.Anthropic(base_url=f"{api.url}/anthropic", api_key=api.key, max_retries=0, default_headers=headers)


def messages(api: Api, session: str) -> list[dict[str, Any]]:
    return api.get("/api/v1/messages", session_id=session, order="asc", limit=200)["data"]


def told(api: Api, session: str) -> list[tuple[str, Any]]:
    return [(each["role"], each["content"]) for each in messages(api, session)]


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def test_a_conversation_with_openais_client_is_stored(api, session):
    client = openai_client(api, session)
    history = [{"role": "system", "content": "You are brief."}]
    for question in ("What is loam?", "And clay?", "And sand?"):
        history.append(user(question))
        answer = client.chat.completions.with_raw_response.create(model=MODEL, messages=history)
        assert answer.headers["x-loam-session-id"] == session
        said = answer.parse()
        history.append({"role": "assistant", "content": said.choices[0].message.content})
    assert told(api, session) == [(each["role"], each["content"]) for each in history]
    rows = messages(api, session)
    assert [row["sequence_number"] for row in rows] == [1, 2, 3, 4, 5, 6, 7]
    assert [row["parent_id"] for row in rows] == [None, *(row["id"] for row in rows[:-1])]
    last = rows[-1]
    assert (last["model"], last["finish_reason"]) == (MODEL, "stop")
    assert (last["prompt_tokens"], last["completion_tokens"]) == (said.usage.prompt_tokens, said.usage.completion_tokens)
    call = api.get(f"/api/v1/llm_calls/{last['llm_call_id']}")
    assert call["session_id"] == session


def test_a_streamed_answer_is_stored_before_the_stream_ends(api, session):
    stream = openai_client(api, session).chat.completions.create(model=MODEL, messages=[user("Tell me of peat")], stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    assert text
    assert told(api, session) == [("user", "Tell me of peat"), ("assistant", text)]
    row = messages(api, session)[-1]
    assert row["finish_reason"] == "stop"
    assert row["completion_tokens"] > 0


@pytest.mark.parametrize("model", [MODEL, "claude/claude-sonnet-4-5"], ids=["openai-provider", "anthropic-provider"])
@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_a_conversation_with_anthropics_client_is_stored(api, session, model, streamed):
    client = anthropic_client(api, session)
    history: list[dict[str, Any]] = []
    for question in ("What is loam?", "And clay?"):
        history.append(user([{"type": "text", "text": question}]))
        asked = {"model": model, "max_tokens": 300, "system": "You are brief.", "messages": history}
        if streamed:
            with client.messages.stream(**asked) as stream:
                answer = stream.get_final_message()
        else:
            answer = client.messages.create(**asked)
        history.append({"role": "assistant", "content": [block.model_dump() for block in answer.content]})
    answers = ["".join(block["text"] for block in each["content"]) for each in history if each["role"] == "assistant"]
    assert told(api, session) == [
        ("system", "You are brief."),
        ("user", "What is loam?"),
        ("assistant", answers[0]),
        ("user", "And clay?"),
        ("assistant", answers[1]),
    ]
    last = messages(api, session)[-1]
    assert (last["completion_tokens"], last["finish_reason"]) == (answer.usage.output_tokens, "stop")


@pytest.mark.parametrize("streamed", [False, True])
def test_a_conversation_of_responses_is_stored(api, session, streamed):
    """With its history in Loam: each request has only the new message, and the id of the response before."""
    client, before = openai_client(api, session), None
    asked = ["What is loam?", "And clay?", "And sand?"]
    said = []
    for question in asked:
        fields = {"model": "claude/claude-sonnet-4-5", "input": question, "previous_response_id": before}
        if streamed:
            with client.responses.stream(**fields) as stream:
                response = stream.get_final_response()
        else:
            response = client.responses.create(**fields)
        before = response.id
        said.append(response.output_text)
    expected = [one for pair in zip(asked, said, strict=True) for one in pair]
    assert [content for _, content in told(api, session)] == expected
    assert [role for role, _ in told(api, session)] == ["user", "assistant"] * 3


def test_a_conversation_continues_in_either_format(api, session):
    first = openai_client(api, session).chat.completions.create(model=MODEL, messages=[user("What is loam?")])
    text = first.choices[0].message.content
    history = [user("What is loam?"), {"role": "assistant", "content": text}, user("And clay?")]
    second = anthropic_client(api, session).messages.create(model=MODEL, max_tokens=300, messages=history)
    expected = [("user", "What is loam?"), ("assistant", text), ("user", "And clay?"), ("assistant", second.content[0].text)]
    assert told(api, session) == expected


def test_the_sessions_own_prompt_is_not_stored_again(api):
    session = api.create("chat_sessions", {"system_prompt": "You are brief."})["id"]
    history = [{"role": "system", "content": "You are brief."}, user("What is loam?")]
    openai_client(api, session).chat.completions.create(model=MODEL, messages=history)
    assert [role for role, _ in told(api, session)] == ["user", "assistant"]


def test_an_image_is_stored_as_a_content_part(api, session):
    url = "data:image/png;base64,iVBORw0KGgo="
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]
    openai_client(api, session).chat.completions.create(model=MODEL, messages=[user(parts)])
    assert messages(api, session)[0]["content"] == parts


def test_a_session_can_be_named_by_its_external_id(api, name):
    own = name("thread")
    session = api.create("chat_sessions", {"external_id": own})["id"]
    answer = api.chat(MODEL, "hello", headers={"x-loam-session-id": own})
    assert answer.headers["x-loam-session-id"] == session
    assert [role for role, _ in told(api, session)] == ["user", "assistant"]
    assert api.get(f"/api/v1/llm_calls/{answer.headers['x-loam-call-id']}")["session_id"] == session


def test_an_edited_message_starts_a_branch(api, session):
    client = openai_client(api, session)

    def ask(*texts: str) -> str:
        roles = ("user", "assistant")
        history = [{"role": roles[place % 2], "content": text} for place, text in enumerate(texts)]
        return client.chat.completions.create(model=MODEL, messages=history).choices[0].message.content

    first = ask("What is loam?")
    ask("What is loam?", first, "And clay?")
    ask("What is loam?", first, "And sand?")
    rows = messages(api, session)
    assert [row["content"] for row in rows][4] == "And sand?"
    assert rows[4]["parent_id"] == rows[2]["parent_id"] == rows[1]["id"]
    assert [row["sequence_number"] for row in rows] == [1, 2, 3, 4, 5, 6]
    again = ask("What is loam?", first, "And clay?")
    last = messages(api, session)[-1]
    assert (last["content"], last["parent_id"]) == (again, rows[2]["id"]), "the same question: another answer"


def test_tool_calls_of_the_client_are_recorded(api, session):
    client = openai_client(api, session)
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}
    history: list[Any] = [user("What is the weather in Paris?")]
    first = client.chat.completions.with_raw_response.create(model=MODEL, messages=history, tools=[tool])
    call = first.parse().choices[0].message.tool_calls[0]
    [row] = api.all("tool_calls", session_id=session)
    assert (row["tool_name"], row["status"], row["call_id"]) == ("get_weather", "waiting", call.id)
    assert row["llm_call_id"] == first.headers["x-loam-call-id"]
    history.append(first.parse().choices[0].message.model_dump(exclude_none=True))
    history.append({"role": "tool", "tool_call_id": call.id, "content": "21 degrees"})
    client.chat.completions.create(model=MODEL, messages=history, tools=[tool])
    row = api.get(f"/api/v1/tool_calls/{row['id']}")
    assert (row["status"], row["result"]) == ("succeeded", "21 degrees")
    rows = messages(api, session)
    assert [each["role"] for each in rows] == ["user", "assistant", "tool", "assistant"]
    assert (rows[1]["finish_reason"], rows[1]["tool_calls"][0]["function"]["name"]) == ("tool_calls", "get_weather")
    assert (rows[2]["tool_call_id"], row["message_id"]) == (call.id, rows[1]["id"])


def test_an_answer_to_a_disconnected_client_is_stored_as_stopped(api, session):
    stream = openai_client(api, session).chat.completions.create(
        model="slow/gpt-4o", messages=[user("Tell me everything about soil")], stream=True
    )
    seen = ""
    for chunk in stream:
        seen += chunk.choices[0].delta.content or "" if chunk.choices else ""
        if len(seen.split()) > 3:
            break
    stream.close()
    rows = eventually(lambda: messages(api, session))
    assert [row["role"] for row in rows] == ["user", "assistant"]
    assert rows[1]["finish_reason"] == "stopped"
    assert rows[1]["content"].startswith(seen)


def test_an_answer_interrupted_by_the_provider_is_stored_as_failed(api, session, mock, name):
    marker = name("broken")
    fault = {"type": "stream_fault", "kind": "disconnect", "after_chunks": 3, "match": {"model": "gpt-4o-mini"}}
    mock.script(fault)
    body = {"model": "mock/gpt-4o-mini", "messages": [user(marker)], "stream": True}
    with api.http.stream("POST", "/v1/chat/completions", json=body, headers={"x-loam-session-id": session}) as answer:
        text = "".join(answer.iter_text())
    assert "provider_broke_off" in text
    rows = eventually(lambda: messages(api, session))
    assert [(row["role"], row["finish_reason"]) for row in rows] == [("user", None), ("assistant", "failed")]


def test_a_call_without_an_answer_stores_no_messages(api, session, mock):
    mock.script({"type": "fail", "status": 400, "match": {"model": "gpt-4o-mini"}})
    assert api.chat("mock/gpt-4o-mini", "hello", expect=None, headers={"x-loam-session-id": session}).status_code == 400
    assert messages(api, session) == []


def test_an_unknown_session_name_is_recorded_as_text(api, name):
    own = name("no-session")
    before = len(api.all("chat_sessions"))
    answer = api.chat(MODEL, "hello", headers={"x-loam-session-id": own})
    assert "x-loam-session-id" not in answer.headers
    assert api.get(f"/api/v1/llm_calls/{answer.headers['x-loam-call-id']}")["session_id"] == own
    assert len(api.all("chat_sessions")) == before


def test_a_call_for_an_archived_session_is_rejected_before_the_provider(api, session, mock):
    api.call("PATCH", f"/api/v1/chat_sessions/{session}", 200, json={"status": "archived"})
    before = len(mock.requests())
    headers = {"x-loam-session-id": session}
    assert_error(api.chat(MODEL, "hello", expect=None, headers=headers), 409, "session_archived")
    body = {"model": MODEL, "max_tokens": 10, "messages": [user("hello")]}
    assert_error(api.call("POST", "/anthropic/v1/messages", json=body, headers=headers), 409)
    assert len(mock.requests()) == before
    assert messages(api, session) == []


def test_sessions_of_other_users_and_tenants_are_not_found(gateway, name, mock):
    tenant = gateway.tenant(name("tenant"))
    tenant.create("ai_providers", {"name": "mock", "kind": "openai", "config": {"base_url": mock.base_url, "models": ["gpt-4o"]}})
    users = [
        tenant.create(
            "users", {"username": each, "email": f"{each}@example.com", "password": "a-long-enough-password-1", "roles": ["user"]}
        )
        for each in (name("ann"), name("bob"))
    ]
    scopes = ["gateway:call", "messages:write", "chat_sessions:read", "messages:read"]
    ann, bob = (
        tenant.with_key(tenant.create("api_keys", {"name": each["username"], "scopes": scopes, "user_id": each["id"]})["key"])
        for each in users
    )
    session = tenant.create("chat_sessions", {"user_id": users[0]["id"], "external_id": name("anns")})
    foreign = gateway.api.create("chat_sessions", {})
    for named in (session["id"], session["external_id"], foreign["id"]):
        answer = bob.chat(MODEL, "let me in", headers={"x-loam-session-id": named})
        assert "x-loam-session-id" not in answer.headers
    assert messages(tenant, session["id"]) == []
    assert messages(gateway.api, foreign["id"]) == []
    ann.chat(MODEL, "it is me", headers={"x-loam-session-id": session["external_id"]})
    first = messages(ann, session["id"])[0]
    assert (first["content"], first["sender_id"]) == ("it is me", users[0]["id"])


def test_a_key_without_messages_write_stores_none(api, session, name):
    key = api.create("api_keys", {"name": name("caller"), "scopes": ["gateway:call"]})["key"]
    answer = api.with_key(key).chat(MODEL, "hello", headers={"x-loam-session-id": session})
    assert "x-loam-session-id" not in answer.headers
    assert messages(api, session) == []


def test_concurrent_calls_of_a_session_are_not_interleaved(api, session):
    def call(number: int) -> None:
        mine = api.with_key(api.key)
        mine.chat(MODEL, f"question {number}", headers={"x-loam-session-id": session})

    threads = [threading.Thread(target=call, args=(number,)) for number in range(24)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    rows = messages(api, session)
    assert [row["sequence_number"] for row in rows] == list(range(1, 49))
    for asked, answer in zip(rows[::2], rows[1::2], strict=True):
        assert (asked["role"], answer["role"], answer["parent_id"]) == ("user", "assistant", asked["id"])
    assert len({row["content"] for row in rows[::2]}) == 24


def test_an_answer_from_the_response_cache_is_stored_too(api, session, name):
    alias = name("cached")
    target = {"provider": "mock", "model": "gpt-4o"}
    api.create("model_routes", {"alias": alias, "targets": [target], "cache_seconds": 60})
    for streamed in (False, True):
        body = {"model": alias, "messages": [user("What is marl?")], "stream": streamed}
        for _ in range(2):
            answer = api.call("POST", "/v1/chat/completions", 200, json=body, headers={"x-loam-session-id": session})
        assert answer.headers["x-loam-cache"] == "hit"
    rows = messages(api, session)
    assert [row["role"] for row in rows] == ["user", *["assistant"] * 4]
    assert len({row["content"] for row in rows[1:]}) == 1


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A PostgreSQL server that a test may stop."""
    with Postgres(fsync=False) as server:
        yield server


def test_messages_are_stored_after_a_database_outage(own_postgres):
    with deploy("postgres", own_postgres) as made, Faulty() as provider:
        made.add_provider("faulty", provider.base_url, provider.models)
        api = made.api
        session = api.create("chat_sessions", {"external_id": "thread"})["id"]
        api.chat("faulty/m", "before", headers={"x-loam-session-id": session})
        own_postgres.stop("immediate")
        answers = [
            api.chat("faulty/m", text, headers={"x-loam-session-id": named})
            for text, named in (("during, by id", session), ("during, by name", "thread"), ("elsewhere", "unknown"))
        ]
        assert all(answer.status_code == 200 for answer in answers)
        own_postgres.start()
        rows = eventually(lambda: len(found := messages(api, session)) == 6 and found, 60)
        assert {row["content"] for row in rows if row["role"] == "user"} == {"before", "during, by id", "during, by name"}
        calls = {answer.headers["x-loam-call-id"] for answer in answers[:2]}
        assert calls <= {row["llm_call_id"] for row in rows}
