"""Channels: create, update, delete, and their secrets."""

from __future__ import annotations

import uuid

import pytest

from support.api import assert_error, eventually
from support.platforms import deliveries, event, open_channel, sign


def test_a_secret_can_be_rotated_without_losing_messages(gateway, mock, name, receiver):
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


def test_a_secret_is_shown_once_and_stored_nowhere_in_plain_text(gateway, mock, name):
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


def test_a_channel_without_a_url_only_receives(gateway, mock, name):
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
def test_an_invalid_channel_is_rejected_with_its_field(api, name, change, param):
    before = len(api.all("channels"))
    body = {"name": name("bad"), "kind": "webhook", "settings": {"auto_reply": False}} | change
    assert_error(api.call("POST", "/api/v1/channels", json=body), 400, param=param)
    assert len(api.all("channels")) == before


def test_a_channel_is_updated_by_field_and_version(api, name):
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


def test_a_deleted_channel_receives_nothing_and_abandons_its_deliveries(gateway, mock, name):
    api = gateway.api
    platform = open_channel(api, name("bot"), "http://127.0.0.1:9/", auto_reply=False)
    platform.say("hello")
    api.call("POST", f"/api/v1/channels/{platform.channel}/send", 201, json={"chat_id": "chat-1", "text": "hi"})
    api.call("DELETE", f"/api/v1/channels/{platform.channel}", 204)
    assert_error(platform.send(event("hello"), None), 401)
    (row,) = eventually(lambda: [d for d in deliveries(api, platform.channel) if d["state"] == "dead"])
    assert "deleted" in row["error_message"]
