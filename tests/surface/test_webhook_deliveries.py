"""Deliveries: retried until they succeed, in order, and kept as dead letters when they fail."""

from __future__ import annotations

from datetime import datetime

import pytest

from support.api import Api, assert_error, eventually
from support.deployment import deploy
from support.platforms import Platform, Receiver, deliveries, open_channel, set_deliveries, sign

FAST = {"first_pause_ms": 20, "longest_pause_ms": 50}


@pytest.fixture
def receiver():
    with Receiver() as made:
        yield made


@pytest.fixture
def tenant(deployment, name) -> Api:
    """A tenant whose deliveries are retried at once."""
    made = deployment.tenant(name("sending"))
    set_deliveries(made, **FAST)
    return made


@pytest.fixture
def platform(tenant, receiver) -> Platform:
    """A channel with a chat."""
    made = open_channel(tenant, "bot", receiver.url, auto_reply=False)
    made.say("hello")
    return made


def send(platform: Platform, text: str, chat: str = "chat-1") -> str:
    path = f"/api/v1/channels/{platform.channel}/send"
    (delivery,) = platform.api.call("POST", path, 201, json={"chat_id": chat, "text": text}).json()["delivery_ids"]
    return delivery


def until(api: Api, delivery: str, state: str) -> dict:
    """The delivery, once it is in this state."""
    path = f"/api/v1/webhook_deliveries/{delivery}"
    return eventually(lambda: (row := api.get(path))["state"] == state and row, 30)


def tried(api: Api, delivery: str) -> dict:
    """The delivery, once an attempt has failed."""
    path = f"/api/v1/webhook_deliveries/{delivery}"
    return eventually(lambda: (row := api.get(path))["error_message"] and row)


def test_a_delivery_is_retried_until_it_succeeds(tenant, platform, receiver):
    receiver.refuse(503, 500, 302, 404)
    delivery = send(platform, "persistent")
    row = until(tenant, delivery, "delivered")
    assert (row["attempts"], row["status_code"], row["error_message"]) == (5, 200, None)
    assert row["delivered_at"]
    taken = receiver.wait(5)
    assert {each.headers["x-loam-delivery"] for each in taken} == {delivery}
    for each in taken:
        assert each.body == taken[0].body
        assert sign(platform.secret, each.body, int(each.headers["x-loam-timestamp"])).items() <= each.headers.items()


def test_a_retry_waits_for_retry_after(tenant, platform, receiver):
    receiver.refuse(429, retry_after="600")
    row = tried(tenant, send(platform, "patient"))
    assert (row["state"], row["status_code"]) == ("pending", 429)
    wait = datetime.fromisoformat(row["next_attempt_at"]) - datetime.fromisoformat(row["updated_at"])
    assert wait.total_seconds() >= 600
    # A manual retry does not wait.
    tenant.call("POST", f"/api/v1/webhook_deliveries/{row['id']}/retry", 200)
    assert until(tenant, row["id"], "delivered")["attempts"] == 1


def test_a_failed_delivery_becomes_a_dead_letter_and_can_be_retried(tenant, platform, receiver):
    set_deliveries(tenant, **FAST, max_attempts=3)
    receiver.refuse(500, 500, 500)
    delivery = send(platform, "unlucky")
    dead = until(tenant, delivery, "dead")
    assert (dead["attempts"], dead["status_code"], dead["next_attempt_at"]) == (3, 500, None)
    assert [row["id"] for row in tenant.all("webhook_deliveries", state="dead")] == [delivery]
    assert tenant.call("POST", f"/api/v1/webhook_deliveries/{delivery}/retry", 200).json()["state"] == "pending"
    until(tenant, delivery, "delivered")
    assert tenant.all("webhook_deliveries", state="dead") == []
    again = tenant.call("POST", f"/api/v1/webhook_deliveries/{delivery}/retry")
    assert_error(again, 409, "already_delivered")
    trail = [row["action"] for row in tenant.all("audit_logs") if row["resource_id"] == delivery]
    assert trail == ["retry"]


def test_a_target_that_responds_410_is_not_retried(tenant, platform, receiver):
    receiver.refuse(410)
    dead = until(tenant, send(platform, "gone"), "dead")
    assert (dead["attempts"], dead["status_code"]) == (1, 410)


def test_a_refused_connection_is_recorded_as_an_error(tenant):
    platform = open_channel(tenant, "deaf", "http://127.0.0.1:9/", auto_reply=False)
    platform.say("hello")
    row = tried(tenant, send(platform, "to nobody"))
    assert row["status_code"] is None
    assert "127.0.0.1" in row["error_message"]


def test_a_later_message_never_overtakes_an_earlier_one_of_its_chat(tenant, platform, receiver):
    platform.say("hello", "chat-2")
    receiver.refuse(500, 500, 500)
    sent = [send(platform, f"number {number}") for number in range(4)]
    for delivery in sent:
        until(tenant, delivery, "delivered")
    order = [each.headers["x-loam-delivery"] for each in receiver.wait(7)]
    assert order == [sent[0]] * 4 + sent[1:]


def test_a_chat_does_not_wait_for_another(tenant, platform, receiver):
    platform.say("hello", "chat-2")
    receiver.refuse(429, retry_after="600")
    stuck = tried(tenant, send(platform, "stuck"))
    behind = send(platform, "behind it")
    until(tenant, send(platform, "free", "chat-2"), "delivered")
    path = f"/api/v1/webhook_deliveries/{behind}"
    assert eventually(lambda: (row := tenant.get(path))["next_attempt_at"] is None and row)["state"] == "pending"
    # It is sent once the earlier one is cancelled.
    tenant.call("DELETE", f"/api/v1/webhook_deliveries/{stuck['id']}", 204)
    until(tenant, behind, "delivered")
    assert_error(tenant.call("GET", f"/api/v1/webhook_deliveries/{stuck['id']}"), 404)


def test_deliveries_are_filtered(tenant, platform, receiver):
    other = open_channel(tenant, "other", receiver.url, auto_reply=False)
    other.say("hello")
    mine, theirs = send(platform, "mine"), send(other, "theirs")
    assert [row["id"] for row in deliveries(tenant, platform.channel)] == [mine]
    assert [row["id"] for row in deliveries(tenant, other.channel)] == [theirs]
    assert {row["id"] for row in tenant.all("webhook_deliveries", kind="channel.webhook")} == {mine, theirs}
    assert tenant.all("webhook_deliveries", kind="channel.telegram") == []
    assert_error(tenant.call("GET", "/api/v1/webhook_deliveries", params={"state": "lost"}), 400, param="state")


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_interrupted_deliveries_are_sent_again_after_a_kill(database, request, receiver):
    server = request.getfixturevalue("postgres") if database == "postgres" else None
    env = {"LOAM_JOBS__LEASE_MS": "1500", "LOAM_JOBS__HEARTBEAT_MS": "300", "LOAM_JOBS__POLL_MS": "100"}
    with deploy(database, server, env=env) as deployment:
        api = deployment.api
        set_deliveries(api, **FAST, timeout_ms=1000)
        platform = open_channel(api, "bot", receiver.url, auto_reply=False)
        platform.say("hello")
        receiver.hold()
        sent = [send(platform, f"number {number}") for number in range(3)]
        receiver.wait(1)
        deployment.loam.kill9()
        receiver.let_go()
        deployment.loam.start()
        for delivery in sent:
            until(api, delivery, "delivered")
        order = [each.headers["x-loam-delivery"] for each in receiver.taken]
        assert order == [sent[0], *sent], "the receiver recognizes the repetition by its id"


def test_a_new_channel_address_applies_to_later_deliveries(tenant, platform, receiver):
    receiver.refuse(429, retry_after="600")
    row = tried(tenant, send(platform, "moving"))
    with Receiver() as other:
        path = f"/api/v1/channels/{platform.channel}"
        tenant.call("PATCH", path, 200, json={"config": {"url": other.url}, "secret": platform.secret})
        tenant.call("POST", f"/api/v1/webhook_deliveries/{row['id']}/retry", 200)
        assert other.wait(1)[0].json["message"]["text"] == "moving"
