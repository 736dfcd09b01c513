"""Helpers for sessions and turns: streams as bytes, and the events in them."""

from __future__ import annotations

import json
import random
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from .api import Api

COMMENT = b":"
# A tool that the client executes, and a model that calls it.
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"at": {"type": "string"}}}},
}
WANTS = {"type": "reply", "tool_calls": [{"name": "weather", "arguments": {"at": "Paris"}}], "times": 1}
# Models of a fast provider and of a slow one.
QUICK, SLOW = "mock/gpt-4o", "slow/gpt-4o"


@dataclass
class Stream:
    """The bytes of a stream, without keep-alive comments."""

    raw: bytes = b""

    @property
    def events(self) -> list[Event]:
        return [Event.parse(block) for block in self.raw.decode().split("\n\n") if block]

    @property
    def text(self) -> str:
        return text_of(self.events)

    def kinds(self) -> list[str]:
        """The kinds of events in order, without consecutive repetitions."""
        kinds = [event.kind for event in self.events]
        return [kind for at, kind in enumerate(kinds) if at == 0 or kinds[at - 1] != kind]

    def last(self) -> Event:
        return self.events[-1]

    def behind(self, number: int) -> bytes:
        """The bytes of the events after that number."""
        return b"".join(block + b"\n\n" for block in self.raw.split(b"\n\n")[number:] if block)


@dataclass
class Event:
    number: int
    kind: str
    data: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, block: str) -> Event:
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        return cls(int(fields["id"]), fields["event"], json.loads(fields["data"]))


def text_of(events: list[Event]) -> str:
    return "".join(event.data["text"] for event in events if event.kind == "delta")


class Chat:
    """A session and its turns."""

    def __init__(self, api: Api, model: str, **fields: Any) -> None:
        self.api = api
        self.id = api.create("chat_sessions", {"model": model} | fields)["id"]
        self.path = f"/api/v1/chat_sessions/{self.id}"
        self.turns = f"{self.path}/turns"

    def ask(self, content: Any, expect: int = 201, **fields: Any) -> dict[str, Any]:
        """Creates a turn; returns it when it has ended."""
        headers = fields.pop("headers", None)
        return self.api.call("POST", self.turns, expect, json={"content": content} | fields, headers=headers).json()

    @contextmanager
    def asking(self, content: Any, **fields: Any):
        """Creates a turn with a streamed answer."""
        body = {"content": content, "stream": True} | fields
        with self.api.http.stream("POST", self.turns, json=body) as answer:
            if answer.status_code != 200:
                answer.read()
            assert answer.status_code == 200, answer.text
            yield Reading(answer)

    def stream(self, content: Any, **fields: Any) -> Stream:
        with self.asking(content, **fields) as answer:
            return answer.to_the_end()

    def again(self, turn: str, after: int | None = None, *, header: bool = False) -> Stream:
        """The stream of a turn, after an event."""
        url = f"{self.turns}/{turn}/stream"
        params = {"after": after} if after is not None and not header else {}
        headers = {"last-event-id": str(after)} if header else {}
        with self.api.http.stream("GET", url, params=params, headers=headers) as answer:
            assert answer.status_code in (200, 204), answer.read()
            return Reading(answer).to_the_end()

    def turn(self, turn: str) -> dict[str, Any]:
        return self.api.get(f"{self.turns}/{turn}")

    def messages(self, **params: Any) -> list[dict[str, Any]]:
        """All messages, by sequence number."""
        rows = self.api.all("messages", session_id=self.id, **params)
        return sorted(rows, key=lambda row: row["sequence_number"])

    def said(self) -> list[tuple[str, str]]:
        return [(row["role"], row["content"]) for row in self.messages()]

    def set(self, key: str, value: Any) -> None:
        self.api.call("PUT", f"{self.path}/configs/{key}", 200, json={"value": value})


class Reading:
    """A stream that is read incrementally."""

    def __init__(self, answer: httpx.Response) -> None:
        self._chunks = answer.iter_raw()
        self._held = b""

    def until(self, count: int) -> Stream:
        """The bytes received when that many complete events had arrived, or at the end."""
        while _whole(self._held).count(b"\n\n") < count and self._more():
            pass
        return Stream(_whole(self._held))

    def to_the_end(self) -> Stream:
        """The whole stream. If it breaks off, what was received."""
        while self._more():
            pass
        return Stream(_whole(self._held))

    def _more(self) -> bool:
        try:
            self._held += next(self._chunks)
        except (StopIteration, httpx.HTTPError):
            return False
        return True


def _whole(held: bytes) -> bytes:
    blocks = held.split(b"\n\n")[:-1]
    return b"".join(block + b"\n\n" for block in blocks if not block.startswith(COMMENT))


def words(count: int, seed: str = "words") -> str:
    """A text of this many words."""
    dice = random.Random(seed)
    return " ".join(dice.choice(["loam", "sand", "silt", "clay", "沃土", "humus"]) + str(at) for at in range(count))


def reply(text: str, times: int = 1) -> dict:
    return {"type": "reply", "text": text, "times": times}


def prompts(mock) -> list[list[dict]]:
    """The messages of every request that the provider received."""
    return [request["body"]["messages"] for request in mock.requests() if "messages" in request["body"]]


def with_tool(session: Chat) -> Chat:
    session.api.call("PUT", f"{session.path}/tools", 200, json={"tools": [WEATHER]})
    return session
