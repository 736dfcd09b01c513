"""A provider whose behaviour is controlled from outside, and which records its requests and how they ended.

`LlMock` scripts faults by request; here they are a matter of time: from now on this model, or this key, or everything
behaves so. It runs in a thread of the caller's own process, so its record of what it served can be read without a request.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from dataclasses import dataclass, field, replace
from email import message_from_bytes
from typing import Any

from .process import free_port

# The token usage of every response, so that tests know the cost.
PROMPT_TOKENS = 10
COMPLETION_TOKENS = 5
_HEAD = 64 << 10


@dataclass(frozen=True)
class Mood:
    """How a request is answered.

    `late` seconds pass before the first byte. `status` other than 200 is an error, with `retry_after` if given. `cut` is
    where the connection is closed: before the answer's `head`, after it (`body`), or in the `middle` of the body; with
    `hang` it is left open there instead, and nothing more is said. `answer` is sent in place of the usual one, as it is,
    with status 200 and these `headers`, which an error has too.
    """

    status: int = 200
    retry_after: int | None = None
    late: float = 0
    cut: str | None = None
    hang: bool = False
    answer: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()


WELL = Mood()


def _body(content_type: str, text: bytes) -> dict[str, Any]:
    """The fields of a request: JSON, or a form, whose files are bytes."""
    if not content_type.startswith("multipart/form-data"):
        return json.loads(text) if text else {}
    form = message_from_bytes(f"content-type: {content_type}\r\n\r\n".encode() + text)
    fields = {}
    for part in form.get_payload():
        content = part.get_payload(decode=True)
        fields[part.get_param("name", header="content-disposition")] = content if part.get_filename() else content.decode()
    return fields


def _lines(mood: Mood) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in mood.headers)


@dataclass
class Asked:
    """A request that arrived whole. `completed`: its answer was sent to the last byte."""

    path: str
    key: str | None
    headers: dict[str, str]
    body: dict[str, Any]
    raw: bytes
    mood: Mood
    completed: bool = False

    @property
    def model(self) -> str:
        return self.body.get("model", "")

    @property
    def prompt(self) -> str:
        return self.body["messages"][0]["content"]


@dataclass
class Faulty:
    """OpenAI's wire format at `.base_url`: chat completions, plain and streamed, and the list of models."""

    name: str = "faulty"
    models: list[str] = field(default_factory=lambda: ["m"])
    asked: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}/v1"
        self._moods: dict[tuple[str, str] | None, Mood] = {}
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"faulty-{self.name}", daemon=True)
        self._thread.start()
        self.start()

    def feel(self, mood: Mood = WELL, *, model: str | None = None, key: str | None = None, **changes: Any) -> None:
        """From now on answer so: requests with this key, else for this model, else all."""
        place = ("key", key) if key else ("model", model) if model else None
        self._moods[place] = replace(mood, **changes)

    def recover(self) -> None:
        """Respond normally to everything, and clear the recorded requests."""
        self._moods.clear()
        self.asked.clear()

    def start(self) -> None:
        """Listen, at the same port as before."""
        self._run(self._listen())

    def stop(self) -> None:
        """Refuse connections, and break those there are."""
        self._run(self._unlisten())

    def close(self) -> None:
        self.stop()
        self._run(self._cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def __enter__(self) -> Faulty:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=_HEAD, backlog=512)

    async def _unlisten(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for writer in list(self._open):
            writer.transport.abort()

    async def _cancel_all(self) -> None:
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            # A peer that goes away is none of our business.
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while await self._one(reader, writer):
                    pass
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    def _mood(self, model: str, key: str | None) -> Mood:
        for place in (("key", key), ("model", model), None):
            if place in self._moods:
                return self._moods[place]
        return WELL

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; says whether the connection can take another."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        path = head[0].split(" ")[1]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        text = await reader.readexactly(int(headers.get("content-length", "0")))
        key = headers.get("authorization", "").removeprefix("Bearer ") or None
        body = _body(headers.get("content-type", ""), text)
        one = Asked(path, key, headers, body, text, self._mood(body.get("model", ""), key))
        self.asked.append(one)
        await asyncio.sleep(one.mood.late)
        if one.mood.status != 200:
            return await self._refuse(writer, one)
        if one.mood.answer is not None:
            head = f"HTTP/1.1 200 OK\r\n{_lines(one.mood)}content-length: {len(one.mood.answer)}\r\n\r\n".encode()
            half = len(one.mood.answer) // 2
            return await self._send(writer, one, head, one.mood.answer[:half], one.mood.answer[half:])
        if path.endswith("/models"):
            listing = {"object": "list", "data": [{"id": model, "object": "model"} for model in self.models]}
            return await self._whole(writer, one, listing)
        if body.get("stream"):
            return await self._stream(writer, one)
        message = {"role": "assistant", "content": self.text(one)}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return await self._whole(writer, one, self._shell(one, "chat.completion") | {"choices": [choice], "usage": USAGE})

    def text(self, one: Asked) -> str:
        """The text of a model's response: its name and the request."""
        return f"{self.name}/{one.model} says: {one.prompt}"

    def _shell(self, one: Asked, kind: str) -> dict[str, Any]:
        return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": one.model}

    async def _refuse(self, writer: asyncio.StreamWriter, one: Asked) -> bool:
        mood = one.mood
        again = f"retry-after: {mood.retry_after}\r\n" if mood.retry_after is not None else ""
        again += _lines(mood)
        error = {"error": {"message": f"{self.name} answers {mood.status}", "type": "scripted", "param": None, "code": None}}
        text = json.dumps(error).encode()
        head = f"HTTP/1.1 {mood.status} Scripted\r\ncontent-type: application/json\r\n{again}content-length: {len(text)}\r\n\r\n"
        writer.write(head.encode() + text)
        await writer.drain()
        one.completed = True
        return True

    async def _whole(self, writer: asyncio.StreamWriter, one: Asked, answer: dict[str, Any]) -> bool:
        text = json.dumps(answer).encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(text)}\r\n\r\n".encode()
        return await self._send(writer, one, head, text[: len(text) // 2], text[len(text) // 2 :])

    async def _stream(self, writer: asyncio.StreamWriter, one: Asked) -> bool:
        def event(data: str) -> bytes:
            text = f"data: {data}\n\n".encode()
            return f"{len(text):x}\r\n".encode() + text + b"\r\n"

        def chunk(**fields: Any) -> bytes:
            return event(json.dumps(self._shell(one, "chat.completion.chunk") | fields))

        def delta(reason: str | None = None, **content: str) -> bytes:
            return chunk(choices=[{"index": 0, "delta": content, "finish_reason": reason}])

        words = self.text(one).split(" ")
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        first = delta(role="assistant", content=words[0])
        rest = b"".join(delta(content=f" {word}") for word in words[1:]) + delta("stop")
        if (one.body.get("stream_options") or {}).get("include_usage"):
            rest += chunk(choices=[], usage=USAGE)
        return await self._send(writer, one, head, first, rest + event("[DONE]") + b"0\r\n\r\n")

    async def _send(self, writer: asyncio.StreamWriter, one: Asked, head: bytes, first: bytes, rest: bytes) -> bool:
        for part, cut in ((head, "head"), (first, "body"), (rest, "middle")):
            if one.mood.cut == cut:
                if one.mood.hang:
                    await asyncio.sleep(3600)
                return False
            writer.write(part)
            await writer.drain()
        one.completed = True
        return True


USAGE = {
    "prompt_tokens": PROMPT_TOKENS,
    "completion_tokens": COMPLETION_TOKENS,
    "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS,
}
