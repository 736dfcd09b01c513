"""Makes a number of concurrent calls, each sent exactly once, and records the result of each.

Uses plain sockets, because a client library needs more processor time than the server.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

# Seconds that a client waits for a complete response.
PATIENCE = 60


@dataclass
class Call:
    """One call, and what its client received. `whole`: the response was complete."""

    model: str
    marker: str
    streamed: bool = False
    status: int | None = None
    error: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""
    whole: bool = False
    broken: str | None = None

    @property
    def id(self) -> str | None:
        return self.headers.get("x-loam-call-id")

    @property
    def code(self) -> str | None:
        return (self.error or {}).get("code")


async def burst(url: str, key: str, calls: Iterable[Call], *, clients: int, pause: float = 0, **body: Any) -> list[Call]:
    """Sends them all; a client whose connection breaks waits briefly and continues with its next call."""
    waiting, done = deque(calls), []
    address = urlsplit(url)

    async def client() -> None:
        line = None
        while waiting:
            one = waiting.popleft()
            done.append(one)
            try:
                line = line or await asyncio.open_connection(address.hostname, address.port)
                await asyncio.wait_for(ask(*line, key, one, body), PATIENCE)
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                one.broken = f"{type(error).__name__}: {error}"
                if line:
                    line[1].close()
                line = None
                await asyncio.sleep(0.02)
            await asyncio.sleep(pause)
        if line:
            line[1].close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return done


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str, one: Call, fields: dict[str, Any]) -> None:
    """Sends a call with these fields in its body, and reads as much of the response as arrives."""
    body = fields | {"model": one.model, "messages": [{"role": "user", "content": one.marker}], "stream": one.streamed}
    text = json.dumps(body).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: loam\r\nauthorization: Bearer {key}\r\nx-request-id: {one.marker}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(text)}\r\n\r\n"
    )
    writer.write(head.encode() + text)
    await writer.drain()
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    one.status = int(status.split(" ")[1])
    one.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    if "content-length" in one.headers:
        one.text = (await reader.readexactly(int(one.headers["content-length"]))).decode()
    else:
        assert one.headers["transfer-encoding"] == "chunked", one.headers
        while length := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            one.text += (await reader.readexactly(length + 2))[:-2].decode()
        await reader.readuntil(b"\r\n")
    succeeded = one.status < 300
    if not succeeded:
        one.error = json.loads(one.text)["error"]
    one.whole = succeeded and (not one.streamed or one.text.endswith("data: [DONE]\n\n"))
