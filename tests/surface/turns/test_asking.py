"""Turns: questions, answers, their order, and rejected requests."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

from support.api import assert_error, eventually
from support.conversation import SLOW, Chat, Stream, prompts, reply, words


def test_question_and_answer_are_stored(chat, mock):
    mock.script(reply("the capital is Paris"))
    session = chat(system_prompt="be brief")
    turn = session.ask("what is the capital of France?", metadata={"mine": 1})
    assert turn["state"] == "completed"
    assert turn["message"]["content"] == "the capital is Paris"
    assert turn["message"]["finish_reason"] == "stop"
    question, answer = session.messages()
    assert (question["role"], question["content"], question["metadata"]) == (
        "user",
        "what is the capital of France?",
        {"mine": 1},
    )
    assert (answer["id"], answer["parent_id"]) == (turn["assistant_message_id"], question["id"])
    assert answer["turn_id"] == question["turn_id"] == turn["id"]
    assert answer["completion_tokens"] > 0
    assert prompts(mock) == [
        [{"role": "system", "content": "be brief"}, {"role": "user", "content": "what is the capital of France?"}]
    ]
    call = eventually(lambda: session.api.get(f"/api/v1/llm_calls/{turn['llm_call_id']}"))
    assert call["session_id"] == session.id
    assert call["total_tokens"] == answer["prompt_tokens"] + answer["completion_tokens"]


def test_a_streamed_answer_is_numbered_events(chat, mock):
    text = words(30)
    mock.script(reply(text))
    session = chat()
    stream = session.stream("speak")
    assert [event.number for event in stream.events] == list(range(1, len(stream.events) + 1))
    assert stream.kinds() == ["started", "delta", "message", "ended"]
    assert stream.text == text
    ended = stream.last().data
    assert (ended["state"], ended["finish_reason"], ended["error"]) == ("completed", "stop", None)
    assert ended["usage"]["total_tokens"] > 0
    assert session.said() == [("user", "speak"), ("assistant", text)]


def test_the_next_question_includes_the_history(chat, mock):
    mock.script(reply("hello Ada"), reply("Ada"))
    session = chat()
    session.ask("I am Ada")
    session.ask("who am I?", settings={"temperature": 0.2})
    assert [message["content"] for message in prompts(mock)[1]] == ["I am Ada", "hello Ada", "who am I?"]
    assert mock.requests()[-1]["body"]["temperature"] == 0.2


def test_settings_of_a_turn_override_those_of_the_session(chat, mock):
    session = chat()
    session.set("temperature", 0.1)
    session.set("max_tokens", 77)
    session.ask("a")
    session.ask("b", settings={"temperature": 0.9, "max_tokens": None})
    first, second = (request["body"] for request in mock.requests())
    assert (first["temperature"], first["max_tokens"]) == (0.1, 77)
    assert second["temperature"] == 0.9
    assert "max_tokens" not in second


def test_the_model_is_taken_from_turn_session_or_default(chat, talking, mock):
    assert chat().ask("a", model="mock/gpt-4o-mini")["model"] == "mock/gpt-4o-mini"
    nobody = chat(model=None)
    assert_error(nobody.api.call("POST", nobody.turns, json={"content": "a"}), 400, "no_model", "model")
    assert nobody.said() == []
    key = "/api/v1/system_config/conversation.turns"
    talking.api.call("PUT", key, 200, json={"config_value": {"default_model": "mock/gpt-4o-mini"}})
    try:
        assert nobody.ask("a")["model"] == "mock/gpt-4o-mini"
    finally:
        talking.api.call("DELETE", key)


def test_the_settings_of_a_user_apply_to_sessions_without_their_own(chat, talking, mock, name):
    api = talking.api
    user = api.create("users", {"username": name("prefers"), "email": f"{name('prefers')}@example.com"})["id"]
    path = f"/api/v1/users/{user}/preferences/ai_settings"
    api.call("PUT", path, 200, json={"value": {"model": "mock/gpt-4o-mini", "language": "zh-CN"}})
    assert chat(model=None, user_id=user).ask("hello")["model"] == "mock/gpt-4o-mini"
    own = chat(user_id=user, system_prompt="be brief")
    assert own.ask("hello")["model"] == "mock/gpt-4o", "the session's own model precedes the user's"
    systems = [prompt[0] for prompt in prompts(mock)]
    assert [message["role"] for message in systems] == ["system", "system"]
    assert all("`zh-CN`" in message["content"] for message in systems)
    assert systems[1]["content"].startswith("be brief\n\n")
    api.call("DELETE", path, 204)
    own.ask("again")
    assert prompts(mock)[-1][0]["content"] == "be brief"


def test_turns_of_a_session_run_one_after_another(chat, talking):
    session = chat()
    with ThreadPoolExecutor(20) as pool:
        clients = [Chat.__new__(Chat) for _ in range(20)]
        for client in clients:
            client.__dict__ |= session.__dict__ | {"api": talking.api.with_key(talking.loam.key)}
        turns = list(pool.map(lambda numbered: numbered[1].ask(f"question {numbered[0]}"), enumerate(clients)))
    assert all(turn["state"] == "completed" for turn in turns)
    messages = session.messages()
    assert [row["sequence_number"] for row in messages] == list(range(1, 41))
    for question, answer in zip(messages[::2], messages[1::2], strict=True):
        assert (question["role"], answer["role"]) == ("user", "assistant")
        assert question["turn_id"] == answer["turn_id"]
        assert answer["parent_id"] == question["id"]
    by_arrival = sorted(turns, key=lambda turn: turn["id"])
    assert [row["turn_id"] for row in messages[::2]] == [turn["id"] for turn in by_arrival]
    assert [row["parent_id"] for row in messages[2::2]] == [row["id"] for row in messages[1:-1:2]]


def test_the_queue_is_bounded_and_queued_turns_can_be_stopped(chat, talking, slow):
    key = "/api/v1/system_config/conversation.turns"
    talking.api.call("PUT", key, 200, json={"config_value": {"queue": 2}})
    try:
        slow.script(reply(words(60)))
        session = chat(SLOW)
        with session.asking("speak") as answer, ThreadPoolExecutor(1) as pool:
            first = answer.until(2).events[0].data["turn_id"]
            second = pool.submit(
                session.api.with_key(talking.loam.key).call, "POST", session.turns, 201, json={"content": "next"}
            )
            eventually(lambda: len(session.api.get(session.turns)["data"]) == 2)
            refused = session.api.call("POST", session.turns, json={"content": "and then"})
            assert_error(refused, 429, "session_busy")
            assert int(refused.headers["retry-after"]) > 0
            queued = session.api.get(session.turns, state="queued")["data"][0]
            assert queued["question"] == "next"
            session.api.call("DELETE", f"{session.turns}/{queued['id']}", 200)
            assert second.result().json()["state"] == "stopped"
            session.api.call("DELETE", f"{session.turns}/{first}", 200)
        assert [role for role, _ in session.said()] == ["user", "assistant"]
    finally:
        talking.api.call("DELETE", key)


def test_an_invalid_question_is_rejected_and_changes_nothing(chat):
    session = chat()
    for body, param in [
        ({}, "content"),
        ({"content": ""}, "content"),
        ({"content": [{"type": "video"}]}, "content"),
        ({"content": "a", "settings": {"messages": []}}, "settings.messages"),
        ({"content": "a", "settings": {"temperature": 9}}, "settings.temperature"),
        ({"content": "a", "model": ""}, "model"),
        ({"content": "a", "parent_id": str(uuid.uuid4())}, "parent_id"),
        ({"content": "a", "unknown": 1}, "unknown"),
    ]:
        assert_error(session.api.call("POST", session.turns, json=body), 400, param=param)
    assert session.said() == []
    assert session.api.get(session.turns)["data"] == []


def test_a_turn_on_an_archived_session_is_refused(chat):
    session = chat()
    turn = session.ask("a")
    session.api.call("PATCH", session.path, 200, json={"status": "archived"})
    assert_error(session.api.call("POST", session.turns, json={"content": "b"}), 409, "session_archived")
    url = f"{session.turns}/{turn['id']}/regenerate"
    assert_error(session.api.call("POST", url, json={}), 409, "session_archived")


def test_a_turn_is_not_found_in_another_tenant_or_session(chat, tenant):
    session, other = chat(), chat()
    turn = session.ask("a")["id"]
    assert_error(tenant.call("GET", f"{session.turns}/{turn}"), 404)
    for method, path in [("GET", ""), ("DELETE", ""), ("GET", "/stream")]:
        assert_error(other.api.call(method, f"{other.turns}/{turn}{path}"), 404)


def test_an_idempotency_key_creates_one_turn(chat, mock):
    session = chat()
    headers = {"idempotency-key": str(uuid.uuid4())}
    first = session.ask("once", headers=headers)
    assert session.ask("once", headers=headers) == first
    headers = {"idempotency-key": str(uuid.uuid4())}
    body = {"content": "streamed once", "stream": True}
    streamed = session.api.call("POST", session.turns, 200, json=body, headers=headers)
    turn = Stream(streamed.content).events[0].data["turn_id"]
    again = session.api.call("POST", session.turns, 200, json=body, headers=headers)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json()["id"] == turn
    assert len(mock.requests()) == 2
