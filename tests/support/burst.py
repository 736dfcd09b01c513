"""A given number of calls by many clients at once, each sent exactly once, and what came of each."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass
class Call:
    """One call, and what its client saw. `whole`: the answer came to its end."""

    model: str
    marker: str
    streamed: bool = False
    status: int | None = None
    error: dict[str, Any] | None = None
    headers: httpx.Headers = field(default_factory=httpx.Headers)
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
    """Send them all; while the server is away a client waits a little before its next."""
    waiting, done = deque(calls), []
    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)
    headers = {"authorization": f"Bearer {key}"}

    async def client(http: httpx.AsyncClient) -> None:
        while waiting:
            one = waiting.popleft()
            done.append(one)
            try:
                await ask(http, one, body)
            except httpx.HTTPError as error:
                one.broken = f"{type(error).__name__}: {error}"
                await asyncio.sleep(0.02)
            await asyncio.sleep(pause)

    async with httpx.AsyncClient(base_url=url, headers=headers, limits=limits, timeout=60, trust_env=False) as http:
        await asyncio.gather(*(client(http) for _ in range(clients)))
    return done


async def ask(http: httpx.AsyncClient, one: Call, fields: dict[str, Any]) -> None:
    """Send one call, with these fields in its body."""
    body = fields | {"model": one.model, "messages": [{"role": "user", "content": one.marker}], "stream": one.streamed}
    async with http.stream("POST", "/v1/chat/completions", json=body, headers={"x-request-id": one.marker}) as answer:
        one.status, one.headers = answer.status_code, answer.headers
        async for part in answer.aiter_text():
            one.text += part
    if not answer.is_success:
        one.error = json.loads(one.text)["error"]
    one.whole = answer.is_success and (not one.streamed or one.text.endswith("data: [DONE]\n\n"))
