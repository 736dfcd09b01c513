"""Channels: who is believed, what becomes of a message, and how it is answered."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from services import Faulty
from support.api import Api, assert_error, calls_with, eventually
from support.deployment import deploy
from support.platforms import Receiver, deliveries, event, open_channel, sign
from support.toolserver import ToolServer

MODEL = "mock/gpt-4o-mini"


@pytest.fixture
def receiver():
    with Receiver() as made:
        yield made


def answered(receiver: Receiver, count: int) -> list[str]:
    """The texts that went out, once there are so many."""
    return [each.json["message"]["text"] for each in receiver.wait(count)]


def test_a_message_is_answered_by_the_model_and_the_answer_goes_out_signed(gateway, mock, name, receiver):
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
    # The receiver can check it with nothing but the documented contract.
    signed = f"{taken.headers['x-loam-timestamp']}.".encode() + taken.body
    digest = hmac.new(platform.secret.encode(), signed, hashlib.sha256).hexdigest()
    assert taken.headers["x-loam-signature"] == f"v1={digest}"
    (delivery,) = eventually(lambda: [d for d in deliveries(gateway.api, platform.channel) if d["state"] == "delivered"])
    assert delivery["id"] == taken.headers["x-loam-delivery"]
    # One call, on the account of the session.
    (call,) = eventually(lambda: calls_with(gateway.api, marker))
    assert call["session_id"] == receipt["session_id"]
    asked = json.loads(call["request_data"]) if isinstance(call["request_data"], str) else call["request_data"]
    assert [message["role"] for message in asked["messages"]] == ["system", "user"]


def test_a_chat_is_one_conversation_and_the_model_is_shown_what_was_said(gateway, mock, name, receiver):
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


def test_messages_of_a_chat_are_answered_in_their_order(gateway, mock, name, receiver):
    platform = open_channel(gateway.api, name("bot"), receiver.url, model=MODEL)
    said = [event(f"number {number}", "busy") for number in range(8)]
    for each in said:
        platform.send(each)
    taken = receiver.wait(len(said), 40)
    assert [each.json["message"]["event_id"] for each in taken] == [each["event_id"] for each in said]
    assert len({each.json["message"]["id"] for each in taken}) == len(said)


def said_in(api: Api, session: str) -> list[tuple[str, str]]:
    """Who said what in a session, by its numbers."""
    rows = sorted(api.all("messages", session_id=session), key=lambda row: row["sequence_number"])
    return [(row["role"], row["content"]) for row in rows]


def turns_of(api: Api, session: str) -> list[dict[str, Any]]:
    """The turns of a session, oldest first."""
    return api.get(f"/api/v1/chat_sessions/{session}/turns")["data"][::-1]


def test_a_message_is_answered_by_a_turn_with_the_settings_and_tools_of_its_session(gateway, mock, name, receiver):
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


def test_what_comes_while_an_answer_is_made_follows_it_in_the_session(gateway, mock, name, receiver):
    api = gateway.api
    platform = open_channel(api, name("bot"), receiver.url, model=MODEL)
    said = [f"number {number}" for number in range(4)]
    receipts = [platform.say(text, "a") for text in said]
    answers = answered(receiver, len(said))
    spoken = said_in(api, receipts[0]["session_id"])
    assert spoken == [line for asked, text in zip(said, answers, strict=True) for line in (("user", asked), ("assistant", text))]
    for receipt, text in zip(receipts, said, strict=True):
        assert api.get(f"/api/v1/messages/{receipt['message_id']}")["content"] == text


def test_a_tool_of_the_clients_is_no_answer_for_a_channel(gateway, mock, name, receiver):
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


def test_a_message_that_no_turn_took_is_in_the_session_all_the_same(gateway, mock, name, receiver):
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


def test_a_message_whose_turn_is_stopped_before_it_begins_is_in_the_session_all_the_same(gateway, mock, name, receiver):
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


def test_who_answers_by_default_answers_channels_too(deployment, mock, name, receiver):
    tenant = deployment.tenant(name("usual"))
    config = {"base_url": mock.base_url, "api_key": "sk-x", "models": ["m"]}
    tenant.create("ai_providers", {"name": "own", "kind": "openai", "config": config})
    path = "/api/v1/system_config/conversation.turns"
    tenant.call("PUT", path, 200, json={"config_value": {"default_model": "own/m"}})
    platform = open_channel(tenant, "bot", receiver.url)
    session = platform.say("hello")["session_id"]
    assert answered(receiver, 1)[0]
    assert turns_of(tenant, session)[0]["model"] == "own/m"


def test_whoever_does_not_sign_is_not_believed(gateway, mock, name):
    api = gateway.api
    platform = open_channel(api, name("bot"), auto_reply=False)
    other = open_channel(api, name("bot"), auto_reply=False)
    body = json.dumps(event("let me in")).encode()
    now = int(time.time())
    good = sign(platform.secret, body)
    for headers, code in [
        ({}, "missing_signature"),
        ({"x-loam-timestamp": str(now)}, "missing_signature"),
        ({"x-loam-signature": good["x-loam-signature"]}, "missing_signature"),
        (sign("not-the-secret-not-the-secret-not", body), "wrong_signature"),
        (sign(other.secret, body), "wrong_signature"),
        (sign(platform.secret, body + b" "), "wrong_signature"),
        (good | {"x-loam-timestamp": str(now + 1)}, "wrong_signature"),
        (good | {"x-loam-timestamp": "yesterday"}, "wrong_signature"),
        (good | {"x-loam-signature": good["x-loam-signature"].replace("v1", "v0")}, "wrong_signature"),
        (good | {"x-loam-signature": "v1="}, "wrong_signature"),
        ({"authorization": f"Bearer {api.key}"}, "missing_signature"),
    ]:
        assert_error(platform.post(body, headers), 401, code)
    stranger = api.with_key(None)
    unknown = stranger.call("POST", f"/api/v1/channels/{uuid.uuid4()}/events", content=body, headers=good)
    assert_error(unknown, 401, "wrong_signature")
    assert api.all(f"channels/{platform.channel}/chats") == []
    platform.post(body, good).raise_for_status()


@pytest.mark.parametrize("off", [-301, -86_400, 301 + 60, 86_400])
def test_a_message_of_another_time_is_refused(gateway, mock, name, off):
    platform = open_channel(gateway.api, name("bot"), auto_reply=False)
    body = json.dumps(event("late")).encode()
    assert_error(platform.post(body, sign(platform.secret, body, int(time.time()) + off)), 401, "stale_timestamp")
    assert gateway.api.all(f"channels/{platform.channel}/chats") == []


def test_a_message_that_is_sent_again_does_nothing_again(gateway, mock, name, receiver):
    platform = open_channel(gateway.api, name("bot"), receiver.url, model=MODEL)
    said = event(f"once {uuid.uuid4()}")
    first = platform.send(said).json()
    for _ in range(5):
        again = platform.send(said).json()
        assert again == first | {"duplicate": True}
    platform.say("and another")
    taken = receiver.wait(2)
    assert len(taken) == 2
    assert taken[0].json["message"]["event_id"] == said["event_id"] != taken[1].json["message"]["event_id"]
    assert len(deliveries(gateway.api, platform.channel)) == 2


def test_many_first_messages_at_once_make_one_conversation_and_each_is_kept_once(gateway, mock, name):
    platform = open_channel(gateway.api, name("bot"), auto_reply=False)
    said = [event(f"number {number}", "rush") for number in range(12)]
    with ThreadPoolExecutor(24) as pool:
        receipts = [answer.json() for answer in pool.map(platform.send, said * 3)]
    assert len({receipt["session_id"] for receipt in receipts}) == 1
    assert len({receipt["message_id"] for receipt in receipts}) == len(said)
    assert sum(not receipt["duplicate"] for receipt in receipts) == len(said)
    assert len(gateway.api.all(f"channels/{platform.channel}/chats")) == 1


def test_an_id_is_one_channels_own(gateway, mock, name):
    said = event("to both")
    one, other = (open_channel(gateway.api, name("bot"), auto_reply=False) for _ in range(2))
    assert [each.send(said).json()["duplicate"] for each in (one, other, one)] == [False, False, True]


def test_bad_messages_are_refused_and_name_the_field(gateway, mock, name):
    platform = open_channel(gateway.api, name("bot"), auto_reply=False)
    for change, param in [
        ({"event_id": ""}, "event_id"),
        ({"event_id": None}, "event_id"),
        ({"chat": {}}, "id"),
        ({"chat": {"id": "x" * 191}}, "chat.id"),
        ({"sender": {"id": "a\0b"}}, "sender.id"),
        ({"message": {"text": ""}}, "message.text"),
        ({"message": {"text": "x", "parts": []}}, "parts"),
        ({"unknown": 1}, "unknown"),
    ]:
        assert_error(platform.send(event("hello") | change, None), 400, param=param)
    for body in (b"", b"[]", b"{", b"null"):
        assert_error(platform.post(body, sign(platform.secret, body)), 400)
    big = json.dumps(event("x" * 300_000)).encode()
    assert_error(platform.post(big, sign(platform.secret, big)), 413, "body_too_large")
    assert gateway.api.all(f"channels/{platform.channel}/chats") == []


def test_an_inactive_channel_takes_nothing_and_sends_nothing(gateway, mock, name, receiver):
    api = gateway.api
    platform = open_channel(api, name("bot"), receiver.url, auto_reply=False)
    platform.say("hello")
    path = f"/api/v1/channels/{platform.channel}"
    api.call("PATCH", path, 200, json={"is_active": False})
    assert_error(platform.send(event("hello"), None), 409, "channel_inactive")
    body = {"chat_id": "chat-1", "text": "hi"}
    assert_error(api.call("POST", f"{path}/send", json=body), 409, "channel_inactive")
    api.call("PATCH", path, 200, json={"is_active": True})
    platform.say("hello again")


def test_a_suspended_tenants_channel_takes_nothing(deployment, name):
    slug = name("suspended")
    made = deployment.api.create("tenants", {"slug": slug, "name": slug})
    tenant = deployment.api.with_key(made["api_key"]["key"])
    platform = open_channel(tenant, "bot", auto_reply=False)
    platform.say("hello")
    deployment.api.call("PATCH", f"/api/v1/tenants/{made['id']}", 200, json={"status": "suspended"})
    assert_error(platform.send(event("hello"), None), 403, "tenant_suspended")
    deployment.api.call("PATCH", f"/api/v1/tenants/{made['id']}", 200, json={"status": "active"})
    platform.say("hello")


def test_a_sender_is_the_user_whose_external_id_says_so(gateway, mock, name, receiver):
    api, channel = gateway.api, name("bot")
    platform = open_channel(api, channel, receiver.url, model=MODEL)
    who = name("ann")
    body = {"username": who, "email": f"{who}@example.com", "external_id": f"{channel}:ann"}
    user = api.create("users", body)
    known, unknown = f"known {uuid.uuid4()}", f"unknown {uuid.uuid4()}"
    platform.say(known, "a", sender={"id": "ann"})
    platform.say(unknown, "b", sender={"id": "bob"})
    receiver.wait(2)
    assert eventually(lambda: calls_with(api, known))[0]["user_id"] == user["id"]
    assert eventually(lambda: calls_with(api, unknown))[0]["user_id"] is None
    api.call("PATCH", f"/api/v1/users/{user['id']}", 200, json={"is_active": False})
    refused = platform.say("locked out", "a", sender={"id": "ann"})
    assert refused["ignored"]
    assert refused["message_id"] is None


def test_senders_become_users_where_the_channel_says_so(gateway, mock, name):
    api, channel = gateway.api, name("bot")
    platform = open_channel(api, channel, auto_reply=False, provision_users=True)
    for _ in range(3):
        platform.say("hello", sender={"id": "carol", "name": "Carol"})
    (user,) = api.all("users", external_id=f"{channel}:carol")
    assert user["roles"] == ["user"]
    trail = [row for row in api.get("/api/v1/audit_logs", limit=200)["data"] if row["resource_id"] == user["id"]]
    assert [row["action"] for row in trail] == ["create"]


def test_a_secret_can_be_changed_without_a_message_lost(gateway, mock, name, receiver):
    api = gateway.api
    platform = open_channel(api, name("bot"), receiver.url, auto_reply=False)
    platform.say("before")
    old, path = platform.secret, f"/api/v1/channels/{platform.channel}"
    made = api.call("POST", f"{path}/rotate_secret", 200, json={}).json()
    assert made["signing_secret"] != old
    assert made["old_secret_until"]
    platform.say("with the old one")
    platform.secret = made["signing_secret"]
    platform.say("with the new one")
    api.call("POST", f"{path}/send", 201, json={"chat_id": "chat-1", "text": "signed twice"})
    (taken,) = receiver.wait(1)
    expected = [sign(each, taken.body, int(taken.headers["x-loam-timestamp"])) for each in (platform.secret, old)]
    assert taken.headers["x-loam-signature"] == ",".join(each["x-loam-signature"] for each in expected)
    made = api.call("POST", f"{path}/rotate_secret", 200, json={"keep_old_seconds": 0}).json()
    assert made["old_secret_until"] is None
    assert_error(platform.send(event("too late"), None), 401, "wrong_signature")
    own = "x" * 40
    api.call("POST", f"{path}/rotate_secret", 200, json={"secret": own, "keep_old_seconds": 0})
    platform.secret = own
    platform.say("with my own")
    for wrong in ({"secret": "short"}, {"keep_old_seconds": 604_801}, {"secret": "ä" * 40}):
        assert_error(api.call("POST", f"{path}/rotate_secret", json=wrong), 400, param=next(iter(wrong)))


def test_a_secret_is_shown_once_and_in_no_trace(gateway, mock, name):
    api = gateway.api
    platform = open_channel(api, name("bot"), auto_reply=False)
    shown = api.get(f"/api/v1/channels/{platform.channel}")
    assert shown["secret"] == {"sealed": True, "last4": platform.secret[-4:]}
    assert "signing_secret" not in shown
    platform.say("hello")
    traces = [api.all("channels"), api.get("/api/v1/audit_logs", limit=200), api.get("/api/v1/api_logs", limit=200)]
    assert platform.secret not in str(traces)
    log = (gateway.loam.folder / "loam.log").read_text() if (gateway.loam.folder / "loam.log").is_file() else ""
    assert platform.secret not in log


def test_a_channel_takes_so_many_messages_a_minute(deployment, name):
    tenant = deployment.tenant(name("limited"))
    path = "/api/v1/system_config/conversation.channels"
    tenant.call("PUT", path, 200, json={"config_value": {"events_per_minute": 2}})
    platform = open_channel(tenant, "bot", auto_reply=False)
    # What isn't signed doesn't count, or anybody could use up the minute.
    body = json.dumps(event("x")).encode()
    for _ in range(10):
        assert_error(platform.post(body, sign("y" * 40, body)), 401)
    answers = [platform.send(event("hello"), None) for _ in range(6)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert answers[0].status_code == 200
    # Should a minute of the clock end meanwhile, four are taken.
    assert 2 <= len(refused) <= 4
    assert_error(refused[0], 429, "channel_rate_exceeded")
    assert 1 <= int(refused[0].headers["retry-after"]) <= 60


def test_a_chat_has_so_many_messages_waiting(deployment, name):
    with Faulty() as slow:
        slow.feel(hang=True, cut="head")
        tenant = deployment.tenant(name("waiting"))
        config = {"base_url": slow.base_url, "api_key": "sk-x", "models": ["m"]}
        tenant.create("ai_providers", {"name": "slow", "kind": "openai", "config": config})
        path = "/api/v1/system_config/conversation.channels"
        tenant.call("PUT", path, 200, json={"config_value": {"waiting_per_chat": 3}})
        platform = open_channel(tenant, "bot", model="slow/m")
        for _ in range(3):
            platform.say("hello")
        busy = platform.send(event("one too many"), None)
        assert_error(busy, 429, "chat_busy")
        assert busy.headers["retry-after"]
        platform.say("another chat", "chat-2")


def test_when_there_is_no_answer_the_channel_says_so_and_goes_on(gateway, mock, name, receiver):
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


def test_a_failure_of_the_moment_is_tried_again(gateway, mock, name, receiver):
    platform = open_channel(gateway.api, name("bot"), receiver.url, model=MODEL, failure_text="never seen")
    with Faulty() as faulty:
        gateway.add_provider(name("faulty"), faulty.base_url, ["m"])
        provider = gateway.api.all("ai_providers")[0]["name"]
        gateway.api.call("PATCH", f"/api/v1/channels/{platform.channel}", 200, json={"settings": {"model": f"{provider}/m"}})
        faulty.feel(status=503)
        platform.say("hello")
        eventually(lambda: faulty.asked)
        faulty.feel(status=200)
        assert "hello" in answered(receiver, 1)[0]


def test_what_a_person_sends_is_kept_and_goes_out(gateway, mock, name, receiver):
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


def test_a_channel_without_a_url_takes_messages_and_sends_none(gateway, mock, name):
    api = gateway.api
    platform = open_channel(api, name("bot"), auto_reply=False)
    platform.say("hello")
    sent = api.call("POST", f"/api/v1/channels/{platform.channel}/send", 201, json={"chat_id": "chat-1", "text": "hi"})
    assert sent.json()["delivery_ids"] == []
    connection = api.call("POST", f"/api/v1/channels/{platform.channel}/connect", 200).json()
    assert connection == {"url": None, "path": f"/api/v1/channels/{platform.channel}/events", "told": False}


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"name": "No Slug"}, "name"),
        ({"name": "x" * 51}, "name"),
        ({"kind": "pigeon"}, "kind"),
        ({"config": {"url": "ftp://example.com"}}, "config.url"),
        ({"config": {"url": "http://169.254.169.254/latest"}}, "config.url"),
        ({"config": {"url": 7}}, "config.url"),
        ({"config": {"address": "x"}}, "config.address"),
        ({"settings": {}}, "settings.model"),
        ({"settings": {"auto_reply": False, "reply_timeout": 0}}, "settings.reply_timeout"),
        ({"settings": {"auto_reply": False, "typo": 1}}, "typo"),
        ({"project_id": str(uuid.uuid4())}, "project_id"),
        ({"secret": "too-short"}, "secret"),
        ({"kind": "telegram"}, "config.bot_token"),
        ({"kind": "telegram", "config": {"bot_token": "../x"}}, "config.bot_token"),
    ],
)
def test_a_bad_channel_is_refused_and_named(api, name, change, param):
    before = len(api.all("channels"))
    body = {"name": name("bad"), "kind": "webhook", "settings": {"auto_reply": False}} | change
    assert_error(api.call("POST", "/api/v1/channels", json=body), 400, param=param)
    assert len(api.all("channels")) == before


def test_a_channel_is_changed_field_by_field_and_by_its_version(api, name):
    platform = open_channel(api, name("bot"), "http://127.0.0.1:9/a", auto_reply=False, system_prompt="x")
    path = f"/api/v1/channels/{platform.channel}"
    tag = api.call("GET", path, 200).headers["etag"]
    change = {"settings": {"system_prompt": None, "reply_timeout": 5}, "config": {"url": "http://127.0.0.1:9/b"}}
    changed = api.call("PATCH", path, 200, json=change, headers={"if-match": tag}).json()
    assert changed["config"] == {"url": "http://127.0.0.1:9/b"}
    assert changed["settings"]["system_prompt"] is None
    assert changed["settings"]["reply_timeout"] == 5
    assert changed["settings"]["auto_reply"] is False
    assert_error(api.call("PATCH", path, json={"is_active": False}, headers={"if-match": tag}), 412, "stale_version")
    wrong = {"settings": {"auto_reply": None}}
    assert_error(api.call("PATCH", path, json=wrong), 400, param="settings.model")
    taken = api.get(path)["name"]
    body = {"name": taken, "kind": "webhook", "settings": {"auto_reply": False}}
    assert_error(api.call("POST", "/api/v1/channels", json=body), 409, "already_exists", "name")


def test_a_channel_that_is_deleted_takes_nothing_and_gives_up_what_it_would_send(gateway, mock, name):
    api = gateway.api
    platform = open_channel(api, name("bot"), "http://127.0.0.1:9/", auto_reply=False)
    platform.say("hello")
    api.call("POST", f"/api/v1/channels/{platform.channel}/send", 201, json={"chat_id": "chat-1", "text": "hi"})
    api.call("DELETE", f"/api/v1/channels/{platform.channel}", 204)
    assert_error(platform.send(event("hello"), None), 401)
    (row,) = eventually(lambda: [d for d in deliveries(api, platform.channel) if d["state"] == "dead"])
    assert "deleted" in row["error_message"]


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_message_is_answered_once_though_the_server_is_killed_meanwhile(database, request, receiver):
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
        # Acknowledged before the kill, so it is known after it.
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
        # Nothing was said twice, and what broke off was asked again.
        (session,) = {each.json["session_id"] for each in taken}
        spoken = said_in(deployment.api, session)
        assert [role for role, _ in spoken] == ["user", "assistant"] * len(said)
        assert [turn["state"] for turn in turns_of(deployment.api, session)] == ["interrupted"] + ["completed"] * len(said)
