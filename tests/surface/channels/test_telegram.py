"""Telegram: a bot with a webhook, tested against a fake Bot API."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass, field
from typing import Any

import pytest

from support.api import Api, assert_error, calls_with, eventually
from support.deployment import Deployment, deploy
from support.platforms import MODEL, Telegram, deliveries, set_deliveries

pytestmark = pytest.mark.one_database

PUBLIC_URL = "https://loam.example.com"
_numbers = itertools.count(1000)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def deployment(request):
    """A deployment with a public URL."""
    server = request.getfixturevalue("postgres") if request.param == "postgres" else None
    with deploy(request.param, server, env={"LOAM_IDENTITY__PUBLIC_URL": PUBLIC_URL, "LOAM_LOG": "debug"}) as made:
        yield made


@pytest.fixture
def telegram():
    with Telegram() as made:
        yield made


@dataclass
class Bot:
    """A person who writes to a bot."""

    api: Api
    channel: str
    secret: str
    person: dict[str, Any] = field(
        default_factory=lambda: {"id": 7, "is_bot": False, "first_name": "Ann", "last_name": "Li", "username": "annli"}
    )

    def update(self, **more: Any) -> dict[str, Any]:
        number = next(_numbers)
        chat = {"id": 7, "type": "private", "first_name": "Ann"}
        message = {"message_id": number, "date": 1_700_000_000, "chat": chat, "from": self.person} | more
        return {"update_id": number, "message": message}

    def post(self, update: dict[str, Any], secret: str | None = None, expect: int | None = 200):
        headers = {"x-telegram-bot-api-secret-token": self.secret if secret is None else secret}
        stranger = self.api.with_key(None)
        return stranger.call("POST", f"/api/v1/channels/{self.channel}/events", expect, json=update, headers=headers)

    def write(self, text: str, **more: Any) -> dict[str, Any]:
        return self.post(self.update(text=text, **more)).json()

    def send(self, text: str, chat: str = "7") -> list[str]:
        path = f"/api/v1/channels/{self.channel}/send"
        return self.api.call("POST", path, 201, json={"chat_id": chat, "text": text}).json()["delivery_ids"]


def open_bot(deployment: Deployment, name: str, telegram: Telegram, **settings: Any) -> Bot:
    config = {"bot_token": telegram.TOKEN, "api_url": telegram.url}
    body = {"name": name, "kind": "telegram", "config": config, "settings": settings}
    made = deployment.api.create("channels", body)
    assert made["config"]["bot_token"] == {"sealed": True, "last4": telegram.TOKEN[-4:]}
    return Bot(deployment.api, made["id"], made["signing_secret"])


def until(api: Api, delivery: str, state: str) -> dict[str, Any]:
    path = f"/api/v1/webhook_deliveries/{delivery}"
    return eventually(lambda: (row := api.get(path))["state"] == state and row)


def test_the_webhook_is_registered_and_removed(gateway, name, telegram):
    bot = open_bot(gateway, name("bot"), telegram, auto_reply=False)
    path = f"/api/v1/channels/{bot.channel}"
    connected = bot.api.call("POST", f"{path}/connect", 200).json()
    assert connected == {"url": f"{PUBLIC_URL}{path}/events", "path": f"{path}/events", "told": True}
    (asked,) = telegram.taken
    assert asked.path == f"/bot{telegram.TOKEN}/setWebhook"
    assert asked.json == {
        "url": f"{PUBLIC_URL}{path}/events",
        "secret_token": bot.secret,
        "allowed_updates": ["message", "edited_message"],
    }
    bot.api.call("POST", f"{path}/disconnect", 204)
    assert telegram.taken[-1].path == f"/bot{telegram.TOKEN}/deleteWebhook"
    telegram.fail(400, "Bad Request: bad webhook: HTTPS url must be provided")
    error = assert_error(bot.api.call("POST", f"{path}/connect"), 502, "telegram_refused")
    assert "HTTPS url must be provided" in error["message"]
    trail = [row["action"] for row in bot.api.get("/api/v1/audit_logs", limit=50)["data"] if row["resource_id"] == bot.channel]
    assert trail == ["disconnect", "connect", "create"]


def test_connecting_without_a_public_url_names_the_setting(mock, telegram):
    with deploy("sqlite") as deployment:
        bot = open_bot(deployment, "bot", telegram, auto_reply=False)
        answer = bot.api.call("POST", f"/api/v1/channels/{bot.channel}/connect")
        assert "identity.public_url" in assert_error(answer, 409, "public_url_missing")["message"]


def test_a_message_is_answered_in_its_chat(gateway, mock, name, telegram):
    bot = open_bot(gateway, name("bot"), telegram, model=MODEL)
    marker = f"hello {uuid.uuid4()}"
    receipt = bot.write(marker)
    sent = eventually(telegram.sent)[0]
    assert set(sent) == {"chat_id", "text"}
    assert sent["chat_id"] == 7
    (call,) = eventually(lambda: calls_with(bot.api, marker))
    assert call["session_id"] == receipt["session_id"]
    (row,) = eventually(lambda: [row for row in deliveries(bot.api, bot.channel) if row["state"] == "delivered"])
    assert (row["kind"], row["target"]) == ("channel.telegram", "telegram chat 7")


def test_updates_require_the_secret(gateway, mock, name, telegram):
    bot = open_bot(gateway, name("bot"), telegram, auto_reply=False)
    update = bot.update(text="let me in")
    for wrong in ("", "x" * 43, bot.secret[:-1], bot.secret + "A"):
        assert_error(bot.post(update, wrong, None), 401, "wrong_signature")
    path = f"/api/v1/channels/{bot.channel}/events"
    assert_error(bot.api.call("POST", path, json=update), 401, "wrong_signature")
    assert bot.api.all(f"channels/{bot.channel}/chats") == []
    assert bot.post(update).json()["message_id"]


def test_a_repeated_update_is_ignored(gateway, mock, name, telegram):
    bot = open_bot(gateway, name("bot"), telegram, model=MODEL)
    update = bot.update(text="once")
    first = bot.post(update).json()
    assert bot.post(update).json() == first | {"duplicate": True}
    bot.write("twice")
    eventually(lambda: len(telegram.sent()) == 2)
    assert len(deliveries(bot.api, bot.channel)) == 2


def test_updates_without_a_message_are_ignored(gateway, mock, name, telegram):
    bot = open_bot(gateway, name("bot"), telegram, auto_reply=False)
    number = next(_numbers)
    edited = {"update_id": number, "edited_message": bot.update(text="edited")["message"]}
    other_bot = {"id": 8, "is_bot": True, "first_name": "Bot"}
    for update in (edited, {"update_id": number + 1}, bot.update(), bot.update(**{"text": "hi", "from": other_bot})):
        receipt = bot.post(update).json()
        assert receipt["ignored"]
        assert receipt["message_id"] is None
    assert bot.api.all(f"channels/{bot.channel}/chats") == []
    assert_error(bot.post({"no": "update"}, None, None), 400)


def test_media_is_described_and_not_downloaded(gateway, mock, name, telegram):
    bot = open_bot(gateway, name("bot"), telegram, model=MODEL)
    marker = str(uuid.uuid4())
    bot.post(bot.update(photo=[{"file_id": "x"}], caption=f"what is this {marker}"))
    (call,) = eventually(lambda: calls_with(bot.api, marker))
    assert f"[photo] what is this {marker}" in str(call["request_data"])


def test_group_replies_refer_to_their_message_and_each_topic_is_a_conversation(gateway, mock, name, telegram):
    bot = open_bot(gateway, name("bot"), telegram, model=MODEL)
    group = {"id": -1001234, "type": "supergroup", "title": "Team", "is_forum": True}
    plain = bot.update(text="hi all", chat=group)
    topic = bot.update(text="hi topic", chat=group, message_thread_id=5, is_topic_message=True)
    one, two = bot.post(plain).json(), bot.post(topic).json()
    assert one["session_id"] != two["session_id"]
    sent = {each.get("message_thread_id"): each for each in eventually(lambda: len(telegram.sent()) == 2 and telegram.sent())}
    assert sent[None]["chat_id"] == sent[5]["chat_id"] == group["id"]
    replies = {thread: each["reply_parameters"] for thread, each in sent.items()}
    assert replies[None] == {"message_id": plain["message"]["message_id"], "allow_sending_without_reply": True}
    assert replies[5]["message_id"] == topic["message"]["message_id"]
    chats = {row["external_id"]: row for row in bot.api.all(f"channels/{bot.channel}/chats")}
    assert set(chats) == {"-1001234", "-1001234:5"}
    assert chats["-1001234"]["title"] == "Team"
    assert chats["-1001234"]["is_group"] is True


def test_a_migrated_group_keeps_its_conversation(gateway, mock, name, telegram):
    bot = open_bot(gateway, name("bot"), telegram, auto_reply=False)
    before, after = {"id": -55, "type": "group", "title": "Team"}, {"id": -10055, "type": "supergroup", "title": "Team"}
    first = bot.write("hi", chat=before)
    assert bot.post(bot.update(chat=before, migrate_to_chat_id=-10055)).json()["ignored"]
    assert bot.write("hi again", chat=after)["session_id"] == first["session_id"]


def test_a_long_reply_is_sent_in_parts_in_order(gateway, mock, name, telegram):
    bot = open_bot(gateway, name("bot"), telegram, auto_reply=False)
    bot.write("tell me everything")
    paragraphs = [f"Paragraph {number}: " + "all there is to say. " * 60 for number in range(12)]
    made = bot.send("\n\n".join(paragraphs))
    assert len(made) > 1
    for delivery in made:
        until(bot.api, delivery, "delivered")
    texts = [each["text"] for each in telegram.sent()]
    assert len(texts) == len(made)
    assert all(len(text) <= 4096 for text in texts)
    assert " ".join(" ".join(texts).split()) == " ".join(" ".join(paragraphs).split())


def test_a_rate_limit_of_telegram_delays_the_retry(gateway, mock, name, telegram):
    bot = open_bot(gateway, name("bot"), telegram, auto_reply=False)
    bot.write("hi")
    telegram.flood(1)
    (delivery,) = bot.send("patience")
    row = eventually(lambda: (row := bot.api.get(f"/api/v1/webhook_deliveries/{delivery}"))["error_message"] and row)
    assert row["status_code"] == 429
    assert "retry after 1" in row["error_message"]
    assert until(bot.api, delivery, "delivered")["attempts"] == 2


def test_a_blocked_bot_does_not_retry(gateway, mock, name, telegram):
    bot = open_bot(gateway, name("bot"), telegram, auto_reply=False)
    bot.write("hi")
    telegram.fail(403, "Forbidden: bot was blocked by the user")
    (delivery,) = bot.send("are you there?")
    dead = until(bot.api, delivery, "dead")
    assert (dead["attempts"], dead["status_code"]) == (1, 403)
    assert "blocked by the user" in dead["error_message"]


def test_the_token_is_stored_nowhere_in_plain_text(gateway, mock, name, telegram):
    api = gateway.api
    bot = open_bot(gateway, name("bot"), telegram, auto_reply=False)
    bot.write("hi")
    bot.api.call("POST", f"/api/v1/channels/{bot.channel}/connect", 200)
    telegram.fail(500, "Internal Server Error")
    (failing,) = bot.send("one")
    path = f"/api/v1/channels/{bot.channel}"
    eventually(lambda: api.get(f"/api/v1/webhook_deliveries/{failing}")["error_message"])
    moved = {"config": {"api_url": "http://127.0.0.1:9", "bot_token": telegram.TOKEN}, "secret": bot.secret}
    api.call("PATCH", path, 200, json=moved)
    (unheard,) = bot.send("two")
    api.call("POST", f"/api/v1/webhook_deliveries/{failing}/retry", 200)
    eventually(lambda: "127.0.0.1" in (api.get(f"/api/v1/webhook_deliveries/{failing}")["error_message"] or ""))
    assert_error(api.call("POST", f"{path}/connect"), 502)
    traces = [
        api.get(f"/api/v1/{each}", limit=200)
        for each in ("channels", "webhook_deliveries", "audit_logs", "api_logs", "jobs", "error_logs")
    ]
    assert unheard in str(traces)
    log = gateway.loam.process.tail(100_000)
    for secret in (telegram.TOKEN, bot.secret):
        assert secret not in str(traces)
        assert secret not in log


def test_a_token_can_be_changed_and_a_masked_token_keeps_its_value(gateway, mock, name, telegram):
    bot = open_bot(gateway, name("bot"), telegram, auto_reply=False)
    set_deliveries(bot.api, first_pause_ms=20, longest_pause_ms=50)
    bot.write("hi")
    path = f"/api/v1/channels/{bot.channel}"
    kept = bot.api.get(path)["config"]
    bot.api.call("PATCH", path, 200, json={"config": kept})
    (delivery,) = bot.send("still me")
    until(bot.api, delivery, "delivered")
    wrong = {"config": {"bot_token": "1:AAwrong-token-wrong-token-wrong"}}
    bot.api.call("PATCH", path, 200, json=wrong)
    (delivery,) = bot.send("who am I")
    assert until(bot.api, delivery, "dead")["status_code"] == 401
    assert_error(bot.api.call("PATCH", path, json={"config": {"bot_token": None}}), 400, param="config.bot_token")
