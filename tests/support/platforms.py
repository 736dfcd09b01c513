"""External platforms: signed senders for channels, a server that receives deliveries, and a fake Telegram."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import itertools
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from .api import Api, eventually

_numbers = itertools.count(1)
# The model of a channel, unless a test sets another.
MODEL = "mock/gpt-4o-mini"


def sign(secret: str, body: bytes, at: int | None = None) -> dict[str, str]:
    """The headers of a signed message, see docs/FORMATS.md."""
    at = int(time.time()) if at is None else at
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return {"x-loam-timestamp": str(at), "x-loam-signature": f"v1={digest}"}


def event(text: str, chat: str = "chat-1", **more: Any) -> dict[str, Any]:
    """A message with a unique id."""
    number = next(_numbers)
    sender = more.pop("sender", {"id": "ann", "name": "Ann"})
    body = {"event_id": f"event-{number}", "chat": {"id": chat}, "sender": sender}
    return body | {"message": {"id": f"m-{number}", "text": text}} | more


@dataclass
class Platform:
    """Sends messages through a channel of kind `webhook`."""

    api: Api
    channel: str
    secret: str

    def post(self, body: bytes, headers: dict[str, str]) -> httpx.Response:
        headers = {"content-type": "application/json"} | headers
        return self.api.with_key(None).call("POST", f"/api/v1/channels/{self.channel}/events", content=body, headers=headers)

    def send(self, said: dict[str, Any], expect: int | None = 200) -> httpx.Response:
        body = json.dumps(said).encode()
        answer = self.post(body, sign(self.secret, body))
        assert expect is None or answer.status_code == expect, f"{answer.status_code}: {answer.text}"
        return answer

    def say(self, text: str, chat: str = "chat-1", **more: Any) -> dict[str, Any]:
        """Sends a message; returns the receipt."""
        return self.send(event(text, chat, **more)).json()


def open_channel(api: Api, name: str, url: str | None = None, **settings: Any) -> Platform:
    """Creates a channel of kind `webhook`; returns its platform."""
    config = {"url": url} if url else {}
    made = api.create("channels", {"name": name, "kind": "webhook", "config": config, "settings": settings})
    return Platform(api, made["id"], made["signing_secret"])


def deliveries(api: Api, channel: str, **more: Any) -> list[dict[str, Any]]:
    """The deliveries of a channel, oldest first."""
    return api.all("webhook_deliveries", channel_id=channel, **more)[::-1]


def set_deliveries(api: Api, **settings: Any) -> None:
    """Sets how deliveries are attempted in this tenant."""
    path = "/api/v1/system_config/webhooks.deliveries"
    api.call("PUT", path, 200, json={"config_value": settings})


@dataclass
class Taken:
    """A received request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """A server that receives deliveries. `answers` holds the next responses: status, headers and body."""

    taken: list[Taken] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str], Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._free = threading.Event()
        self._free.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status, more, said = receiver.answer(Taken(self.path, headers, body))
                text = json.dumps(said).encode()
                # The client may have disconnected.
                with contextlib.suppress(ConnectionError):
                    self.say(status, more, text)

            def say(self, status: int, more: dict[str, str], text: bytes) -> None:
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def usual(self, taken: Taken) -> tuple[int, dict[str, str], Any]:
        """The default response."""
        del taken
        return 200, {}, {}

    def answer(self, taken: Taken) -> tuple[int, dict[str, str], Any]:
        with self._lock:
            self.taken.append(taken)
        self._free.wait(60)
        with self._lock:
            return self.answers.pop(0) if self.answers else self.usual(taken)

    def refuse(self, *statuses: int, **headers: str) -> None:
        """Responds to the next requests with these."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        with self._lock:
            self.answers += [(status, more, {}) for status in statuses]

    def hold(self) -> None:
        """Holds all responses until released."""
        self._free.clear()

    def let_go(self) -> None:
        self._free.set()

    def wait(self, count: int, seconds: float = 20) -> list[Taken]:
        """Waits until this many requests have arrived; returns them."""
        return eventually(lambda: len(self.taken) >= count and list(self.taken), seconds)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Receiver:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Telegram(Receiver):
    """A fake Bot API with webhooks: https://core.telegram.org/bots/api."""

    TOKEN = "123456789:AAtest-token-of-a-bot_0123456789abc"

    def usual(self, taken: Taken) -> tuple[int, dict[str, str], Any]:
        bot, _, method = taken.path.removeprefix("/bot").partition("/")
        if bot != self.TOKEN:
            return 401, {}, {"ok": False, "error_code": 401, "description": "Unauthorized"}
        if method == "sendMessage":
            asked = taken.json
            if not 1 <= len(asked["text"].encode("utf-16-le")) // 2 <= 4096:
                return 400, {}, {"ok": False, "error_code": 400, "description": "Bad Request: message is too long"}
            return 200, {}, {"ok": True, "result": {"message_id": len(self.taken), "chat": {"id": asked["chat_id"]}}}
        if method in ("setWebhook", "deleteWebhook"):
            return 200, {}, {"ok": True, "result": True}
        return 404, {}, {"ok": False, "error_code": 404, "description": "Not Found: method not found"}

    def flood(self, seconds: int) -> None:
        """Rejects the next request with a rate limit."""
        said = {"ok": False, "error_code": 429, "description": f"Too Many Requests: retry after {seconds}"}
        with self._lock:
            self.answers.append((429, {}, said | {"parameters": {"retry_after": seconds}}))

    def fail(self, status: int, description: str) -> None:
        """Rejects the next request."""
        with self._lock:
            self.answers.append((status, {}, {"ok": False, "error_code": status, "description": description}))

    def sent(self) -> list[dict[str, Any]]:
        """The messages sent to chats."""
        return [each.json for each in self.taken if each.path.endswith("/sendMessage")]


def answered(receiver: Receiver, count: int) -> list[str]:
    """The sent texts, once there are this many."""
    return [each.json["message"]["text"] for each in receiver.wait(count)]


def said_in(api: Api, session: str) -> list[tuple[str, str]]:
    """Roles and texts of a session's messages, by sequence number."""
    rows = sorted(api.all("messages", session_id=session), key=lambda row: row["sequence_number"])
    return [(row["role"], row["content"]) for row in rows]


def turns_of(api: Api, session: str) -> list[dict[str, Any]]:
    """The turns of a session, oldest first."""
    return api.get(f"/api/v1/chat_sessions/{session}/turns")["data"][::-1]
