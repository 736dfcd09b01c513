"""Authentication and processing of incoming channel messages."""

from __future__ import annotations

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from services import Faulty
from support.api import assert_error, calls_with, eventually
from support.platforms import MODEL, deliveries, event, open_channel, sign


def test_an_unsigned_message_is_rejected(gateway, mock, name):
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
def test_a_message_with_a_distant_timestamp_is_rejected(gateway, mock, name, off):
    platform = open_channel(gateway.api, name("bot"), auto_reply=False)
    body = json.dumps(event("late")).encode()
    assert_error(platform.post(body, sign(platform.secret, body, int(time.time()) + off)), 401, "stale_timestamp")
    assert gateway.api.all(f"channels/{platform.channel}/chats") == []


def test_a_repeated_message_is_ignored(gateway, mock, name, receiver):
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


def test_concurrent_first_messages_create_one_session_and_are_stored_once(gateway, mock, name):
    platform = open_channel(gateway.api, name("bot"), auto_reply=False)
    said = [event(f"number {number}", "rush") for number in range(12)]
    with ThreadPoolExecutor(24) as pool:
        receipts = [answer.json() for answer in pool.map(platform.send, said * 3)]
    assert len({receipt["session_id"] for receipt in receipts}) == 1
    assert len({receipt["message_id"] for receipt in receipts}) == len(said)
    assert sum(not receipt["duplicate"] for receipt in receipts) == len(said)
    assert len(gateway.api.all(f"channels/{platform.channel}/chats")) == 1


def test_event_ids_are_unique_per_channel(gateway, mock, name):
    said = event("to both")
    one, other = (open_channel(gateway.api, name("bot"), auto_reply=False) for _ in range(2))
    assert [each.send(said).json()["duplicate"] for each in (one, other, one)] == [False, False, True]


def test_an_invalid_message_is_rejected_with_its_field(gateway, mock, name):
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


def test_an_inactive_channel_receives_and_sends_nothing(gateway, mock, name, receiver):
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


def test_a_suspended_tenants_channel_receives_nothing(deployment, name):
    slug = name("suspended")
    made = deployment.api.create("tenants", {"slug": slug, "name": slug})
    tenant = deployment.api.with_key(made["api_key"]["key"])
    platform = open_channel(tenant, "bot", auto_reply=False)
    platform.say("hello")
    deployment.api.call("PATCH", f"/api/v1/tenants/{made['id']}", 200, json={"status": "suspended"})
    assert_error(platform.send(event("hello"), None), 403, "tenant_suspended")
    deployment.api.call("PATCH", f"/api/v1/tenants/{made['id']}", 200, json={"status": "active"})
    platform.say("hello")


def test_a_sender_is_matched_to_a_user_by_external_id(gateway, mock, name, receiver):
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


def test_users_are_created_for_senders_if_configured(gateway, mock, name):
    api, channel = gateway.api, name("bot")
    platform = open_channel(api, channel, auto_reply=False, provision_users=True)
    for _ in range(3):
        platform.say("hello", sender={"id": "carol", "name": "Carol"})
    (user,) = api.all("users", external_id=f"{channel}:carol")
    assert user["roles"] == ["user"]
    trail = [row for row in api.get("/api/v1/audit_logs", limit=200)["data"] if row["resource_id"] == user["id"]]
    assert [row["action"] for row in trail] == ["create"]


def test_a_channel_limits_messages_per_minute(deployment, name):
    tenant = deployment.tenant(name("limited"))
    path = "/api/v1/system_config/conversation.channels"
    tenant.call("PUT", path, 200, json={"config_value": {"events_per_minute": 2}})
    platform = open_channel(tenant, "bot", auto_reply=False)
    # Unauthenticated messages don't count, or anybody could exhaust the limit.
    body = json.dumps(event("x")).encode()
    for _ in range(10):
        assert_error(platform.post(body, sign("y" * 40, body)), 401)
    answers = [platform.send(event("hello"), None) for _ in range(6)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert answers[0].status_code == 200
    # If a minute of the clock ends meanwhile, four are accepted.
    assert 2 <= len(refused) <= 4
    assert_error(refused[0], 429, "channel_rate_exceeded")
    assert 1 <= int(refused[0].headers["retry-after"]) <= 60


def test_a_chat_limits_its_waiting_messages(deployment, name):
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
