"""Channel messages are answered, and the replies are delivered."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from services import Faulty
from support.api import assert_error, calls_with, eventually
from support.deployment import deploy
from support.platforms import MODEL, answered, deliveries, event, open_channel, said_in, turns_of
from support.toolserver import ToolServer


def test_a_message_is_answered_and_the_reply_is_signed(gateway, mock, name, receiver):
    platform = open_channel(gateway.api, name("bot"), f"{receiver.url}/hook", model=MODEL, system_prompt="Be brief.")
    marker = f"hello {uuid.uuid4()}"
    said = event(marker, "chat-9", metadata={"shard": 3})
    receipt = platform.send(said).json()
    assert receipt["duplicate"] is False
    (taken,) = receiver.wait(1)
    assert taken.path == "/hook"
    out = taken.json
    assert out["type"] == "message"
    assert out["channel"]["id"] == platform.channel
    assert out["chat"] == {"id": "chat-9"}
    assert out["session_id"] == receipt["session_id"]
    assert out["message"]["reply_to"] == said["message"]["id"]
    assert out["message"]["event_id"] == said["event_id"]
    assert out["message"]["text"]
    # The receiver can verify it with the documented contract alone.
    signed = f"{taken.headers['x-loam-timestamp']}.".encode() + taken.body
    digest = hmac.new(platform.secret.encode(), signed, hashlib.sha256).hexdigest()
    assert taken.headers["x-loam-signature"] == f"v1={digest}"
    (delivery,) = eventually(lambda: [d for d in deliveries(gateway.api, platform.channel) if d["state"] == "delivered"])
    assert delivery["id"] == taken.headers["x-loam-delivery"]
    # One call, attributed to the session.
    (call,) = eventually(lambda: calls_with(gateway.api, marker))
    assert call["session_id"] == receipt["session_id"]
    asked = json.loads(call["request_data"]) if isinstance(call["request_data"], str) else call["request_data"]
    assert [message["role"] for message in asked["messages"]] == ["system", "user"]


def test_a_chat_is_one_conversation_with_its_history(gateway, mock, name, receiver):
    platform = open_channel(gateway.api, name("bot"), receiver.url, model=MODEL)
    marker = str(uuid.uuid4())
    first = platform.say(f"one {marker}", "a")
    answered(receiver, 1)
    second, other = platform.say(f"two {marker}", "a"), platform.say(f"three {marker}", "b")
    answered(receiver, 3)
    assert first["session_id"] == second["session_id"] != other["session_id"]
    bodies = [each["body"] for each in mock.requests() if marker in str(each["body"])]
    shown = [[message["role"] for message in body["messages"]] for body in bodies]
    assert sorted(shown, key=len) == [["user"], ["user"], ["user", "assistant", "user"]]
    chats = gateway.api.all(f"channels/{platform.channel}/chats")
    assert {chat["external_id"]: chat["session_id"] for chat in chats} == {
        "a": first["session_id"],
        "b": other["session_id"],
    }
    (found,) = gateway.api.all(f"channels/{platform.channel}/chats", external_id="b")
    assert found["session_id"] == other["session_id"]


def test_messages_of_a_chat_are_answered_in_order(gateway, mock, name, receiver):
    platform = open_channel(gateway.api, name("bot"), receiver.url, model=MODEL)
    said = [event(f"number {number}", "busy") for number in range(8)]
    for each in said:
        platform.send(each)
    taken = receiver.wait(len(said), 40)
    assert [each.json["message"]["event_id"] for each in taken] == [each["event_id"] for each in said]
    assert len({each.json["message"]["id"] for each in taken}) == len(said)


def test_a_reply_uses_the_settings_and_tools_of_the_session(gateway, mock, name, receiver):
    api = gateway.api
    platform = open_channel(api, name("bot"), receiver.url, model=MODEL)
    receipt = platform.say("hello", "a")
    answered(receiver, 1)
    session = f"/api/v1/chat_sessions/{receipt['session_id']}"
    api.call("PUT", f"{session}/configs/temperature", 200, json={"value": 0.3})
    marker = f"weather {uuid.uuid4()}"
    with ToolServer() as server:
        tool = {"function": {"name": "weather"}, "execution": {"kind": "http", "url": f"{server.url}/run"}}
        api.call("PUT", f"{session}/tools", 200, json={"tools": [tool]})
        wants = {"type": "reply", "tool_calls": [{"name": "weather", "arguments": {}}], "times": 1}
        answer = {"type": "reply", "text": "Take an umbrella.", "times": 1}
        mock.script(wants, answer)
        asked = platform.say(marker, "a")
        assert answered(receiver, 2)[1] == "Take an umbrella."
        assert [used.json["session_id"] for used in server.used] == [receipt["session_id"]]
    first, second = turns_of(api, receipt["session_id"])
    assert (first["state"], first["user_message_id"]) == ("completed", receipt["message_id"])
    assert (second["state"], second["user_message_id"]) == ("completed", asked["message_id"])
    [used] = api.all("tool_calls", session_id=receipt["session_id"])
    assert (used["tool_name"], used["status"], used["turn_id"]) == ("weather", "succeeded", second["id"])
    assert [role for role, _ in said_in(api, receipt["session_id"])][2:] == ["user", "assistant", "tool", "assistant"]
    bodies = [each["body"] for each in mock.requests() if marker in str(each["body"])]
    assert {body["temperature"] for body in bodies} == {0.3}
    assert receiver.taken[1].json["message"]["id"] == second["assistant_message_id"]


def test_a_message_received_during_an_answer_follows_it(gateway, mock, name, receiver):
    api = gateway.api
    platform = open_channel(api, name("bot"), receiver.url, model=MODEL)
    said = [f"number {number}" for number in range(4)]
    receipts = [platform.say(text, "a") for text in said]
    answers = answered(receiver, len(said))
    spoken = said_in(api, receipts[0]["session_id"])
    assert spoken == [line for asked, text in zip(said, answers, strict=True) for line in (("user", asked), ("assistant", text))]
    for receipt, text in zip(receipts, said, strict=True):
        assert api.get(f"/api/v1/messages/{receipt['message_id']}")["content"] == text


def test_a_client_tool_call_fails_in_a_channel(gateway, mock, name, receiver):
    api = gateway.api
    platform = open_channel(api, name("bot"), receiver.url, model=MODEL, failure_text="Sorry.")
    session = platform.say("hello", "a")["session_id"]
    answered(receiver, 1)
    tools = {"tools": [{"function": {"name": "ask_user"}}]}
    api.call("PUT", f"/api/v1/chat_sessions/{session}/tools", 200, json=tools)
    wants = {"type": "reply", "tool_calls": [{"name": "ask_user", "arguments": {}}], "times": 1}
    mock.script(wants)
    platform.say("weather?", "a")
    assert answered(receiver, 2)[1] == "Sorry."
    assert turns_of(api, session)[-1]["state"] == "stopped"
    mock.script({"type": "reply", "text": "All right.", "times": 1})
    platform.say("never mind", "a")
    assert answered(receiver, 3)[2] == "All right.", turns_of(api, session)


def test_a_message_without_a_turn_is_stored(gateway, mock, name, receiver):
    api = gateway.api
    platform = open_channel(api, name("bot"), receiver.url, model=MODEL, failure_text="Sorry.")
    session = platform.say("hello", "a")["session_id"]
    answered(receiver, 1)
    provider = gateway.add_provider(name("passing"), "http://127.0.0.1:9/v1", ["m"])["id"]
    change = {"provider_id": provider, "model": "m"}
    api.call("PATCH", f"/api/v1/chat_sessions/{session}", 200, json=change)
    api.call("DELETE", f"/api/v1/ai_providers/{provider}", 204)
    receipt = platform.say("is anybody there?", "a")
    assert answered(receiver, 2)[1] == "Sorry."
    assert said_in(api, session)[-1] == ("user", "is anybody there?")
    assert api.get(f"/api/v1/messages/{receipt['message_id']}")["content"] == "is anybody there?"


def test_a_message_whose_turn_is_stopped_before_it_starts_is_stored(gateway, mock, name, receiver):
    api = gateway.api
    platform = open_channel(api, name("bot"), receiver.url, model=MODEL, failure_text="Sorry.")
    session = platform.say("hello", "a")["session_id"]
    answered(receiver, 1)
    turns = f"/api/v1/chat_sessions/{session}/turns"
    with Faulty() as slow, ThreadPoolExecutor(1) as pool:
        slow.feel(hang=True, cut="head")
        provider = gateway.add_provider(name("slow"), slow.base_url, ["m"])["name"]
        ahead = pool.submit(api.with_key(api.key).call, "POST", turns, json={"content": "x", "model": f"{provider}/m"})
        running = eventually(lambda: api.get(turns, state="running")["data"])[0]["id"]
        receipt = platform.say("are you there?", "a")
        queued = eventually(lambda: api.get(turns, state="queued")["data"])[0]["id"]
        api.call("DELETE", f"{turns}/{queued}", 200)
        assert answered(receiver, 2)[1] == "Sorry."
        assert api.get(f"/api/v1/messages/{receipt['message_id']}")["content"] == "are you there?"
        api.call("DELETE", f"{turns}/{running}", 200)
        ahead.result()
    platform.say("and now?", "a")
    assert answered(receiver, 3)[2] != "Sorry."


def test_the_default_model_answers_channels_too(deployment, mock, name, receiver):
    tenant = deployment.tenant(name("usual"))
    config = {"base_url": mock.base_url, "api_key": "sk-x", "models": ["m"]}
    tenant.create("ai_providers", {"name": "own", "kind": "openai", "config": config})
    path = "/api/v1/system_config/conversation.turns"
    tenant.call("PUT", path, 200, json={"config_value": {"default_model": "own/m"}})
    platform = open_channel(tenant, "bot", receiver.url)
    session = platform.say("hello")["session_id"]
    assert answered(receiver, 1)[0]
    assert turns_of(tenant, session)[0]["model"] == "own/m"


def test_a_failure_sends_the_failure_text_and_the_next_message_is_answered(gateway, mock, name, receiver):
    api = gateway.api
    platform = open_channel(api, name("bot"), receiver.url, model="mock/nothing-of-this-name", failure_text="Try later.")
    mock.script({"type": "fail", "status": 400, "times": 1, "match": {"model": "nothing-of-this-name"}})
    said = event("hello")
    platform.send(said)
    (taken,) = receiver.wait(1)
    assert taken.json["message"] == {
        "id": None,
        "role": "assistant",
        "text": "Try later.",
        "reply_to": said["message"]["id"],
        "event_id": said["event_id"],
    }
    api.call("PATCH", f"/api/v1/channels/{platform.channel}", 200, json={"settings": {"model": MODEL}})
    platform.say("hello again")
    assert answered(receiver, 2)[1] != "Try later."


def test_a_temporary_failure_is_retried(gateway, mock, name, receiver):
    platform = open_channel(gateway.api, name("bot"), receiver.url, model=MODEL, failure_text="never seen")
    with Faulty() as faulty:
        gateway.add_provider(name("faulty"), faulty.base_url, ["m"])
        provider = gateway.api.all("ai_providers", is_active="true")[0]["name"]
        gateway.api.call("PATCH", f"/api/v1/channels/{platform.channel}", 200, json={"settings": {"model": f"{provider}/m"}})
        faulty.feel(status=503)
        platform.say("hello")
        eventually(lambda: faulty.asked)
        faulty.feel(status=200)
        assert "hello" in answered(receiver, 1)[0]


def test_a_text_sent_by_a_person_is_stored_and_delivered(gateway, mock, name, receiver):
    api = gateway.api
    platform = open_channel(api, name("bot"), receiver.url, auto_reply=False)
    receipt = platform.say("is anybody there?", "desk")
    path = f"/api/v1/channels/{platform.channel}/send"
    key = {"idempotency-key": str(uuid.uuid4())}
    body = {"chat_id": "desk", "text": "Yes, a person.", "reply_to": "m-1"}
    sent = [api.call("POST", path, 201, json=body, headers=key).json() for _ in range(3)]
    assert sent[0] == sent[1] == sent[2]
    assert sent[0]["session_id"] == receipt["session_id"]
    (taken,) = receiver.wait(1)
    assert taken.json["message"]["text"] == "Yes, a person."
    assert taken.json["message"]["reply_to"] == "m-1"
    assert taken.json["message"]["id"] == sent[0]["message_id"]
    assert len(deliveries(api, platform.channel)) == 1
    assert_error(api.call("POST", path, json=body | {"chat_id": "nobody"}), 400, param="chat_id")
    assert_error(api.call("POST", path, json=body | {"text": " "}), 400, param="text")


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_message_is_answered_once_although_the_server_is_killed(database, request, receiver):
    server = request.getfixturevalue("postgres") if database == "postgres" else None
    env = {"LOAM_JOBS__LEASE_MS": "1500", "LOAM_JOBS__HEARTBEAT_MS": "300", "LOAM_JOBS__POLL_MS": "100"}
    with Faulty() as model, deploy(database, server, env=env) as deployment:
        deployment.add_provider("slow", model.base_url, ["m"])
        platform = open_channel(deployment.api, "bot", receiver.url, model="slow/m")
        model.feel(late=30)
        said = [event(f"number {number}") for number in range(3)]
        for each in said:
            platform.send(each)
        eventually(lambda: model.asked)
        deployment.loam.kill9()
        model.recover()
        deployment.loam.start()
        # Acknowledged before the kill, so it must exist afterwards.
        assert platform.send(said[0]).json()["duplicate"] is True
        taken = receiver.wait(len(said), 60)
        assert [each.json["message"]["event_id"] for each in taken] == [each["event_id"] for each in said]
        rows = eventually(
            lambda: (
                (rows := deliveries(deployment.api, platform.channel))
                and all(row["state"] == "delivered" for row in rows)
                and rows
            )
        )
        assert len(rows) == len(said)
        # No reply is repeated, and interrupted turns are repeated.
        (session,) = {each.json["session_id"] for each in taken}
        spoken = said_in(deployment.api, session)
        assert [role for role, _ in spoken] == ["user", "assistant"] * len(said)
        assert [turn["state"] for turn in turns_of(deployment.api, session)] == ["interrupted"] + ["completed"] * len(said)
