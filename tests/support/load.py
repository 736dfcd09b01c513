"""Load through the gateway: many clients, a marker in each call, and what each client received."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx


@dataclass
class Seen:
    """A call as its client saw it. `acknowledged`: the response was complete (a 2xx body, or `[DONE]`)."""

    marker: str
    model: str
    streamed: bool
    status: int | None = None
    any_byte: bool = False
    acknowledged: bool = False
    hung_up: bool = False
    usage: dict | None = None
    call_id: str | None = None
    error: str | None = None
    body: str = ""


@dataclass
class Load:
    """Clients that call repeatedly until stopped.

    Every call is sent once: a client that retried would not know the result of its first attempt.
    """

    url: str
    key: str
    models: list[str]
    random: random.Random
    name: str
    clients: int = 16
    hang_up: bool = False
    began: str | None = None
    seen: list[Seen] = field(default_factory=list)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def acknowledged(self) -> list[Seen]:
        return [each for each in self.seen if each.acknowledged]

    async def run(self, seconds: float) -> None:
        """Load for this long, or until `stop`; every started call is awaited."""
        self._stop.clear()
        self.began = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        limits = httpx.Limits(max_connections=self.clients, max_keepalive_connections=self.clients)
        headers = {"authorization": f"Bearer {self.key}"}
        options = {"headers": headers, "limits": limits, "timeout": 30, "trust_env": False, "verify": False}
        async with httpx.AsyncClient(base_url=self.url, **options) as http:
            tasks = [asyncio.create_task(self._client(http)) for _ in range(self.clients)]
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), seconds)
            self._stop.set()
            await asyncio.gather(*tasks)

    def stop(self) -> None:
        """Starts no new calls."""
        self._stop.set()

    async def _client(self, http: httpx.AsyncClient) -> None:
        while not self._stop.is_set():
            number = len(self.seen)
            # However few calls a slow machine makes, there is one of each kind.
            streamed = number == 0 if number < 2 else self.random.random() < 0.5
            one = Seen(f"{self.name}-{number:06d}", self.random.choice(self.models), streamed)
            self.seen.append(one)
            # A rate that the mock sustains: what matters is how many calls are in progress at the kill.
            await asyncio.sleep(self.random.uniform(0, 0.03))
            try:
                await self._call(http, one)
            except httpx.HTTPError as error:
                one.error = f"{type(error).__name__}: {error}"
                # A refused connection returns at once while the server is down: don't spin.
                await asyncio.sleep(0.02)

    async def _call(self, http: httpx.AsyncClient, one: Seen) -> None:
        body = {"model": one.model, "messages": [{"role": "user", "content": f"please answer {one.marker}"}]}
        headers = {"x-request-id": one.marker}
        if not one.streamed:
            answer = await http.post("/v1/chat/completions", json=body, headers=headers)
            one.status, one.any_byte, one.body = answer.status_code, True, answer.text
            one.call_id = answer.headers.get("x-loam-call-id")
            if answer.is_success:
                one.usage = answer.json()["usage"]
                one.acknowledged = True
            return
        patience = self.random.randrange(1, 6) if self.hang_up else None
        async with http.stream("POST", "/v1/chat/completions", json=body | {"stream": True}, headers=headers) as answer:
            one.status = answer.status_code
            one.call_id = answer.headers.get("x-loam-call-id")
            async for line in answer.aiter_lines():
                one.any_byte = True
                one.body += line + "\n"
                if line == "data: [DONE]":
                    one.acknowledged = answer.is_success
                if patience is not None and line.startswith("data: "):
                    patience -= 1
                    if patience == 0:
                        one.hung_up = not one.acknowledged
                        return

    def content(self, one: Seen) -> str:
        """The text that the client received."""
        text = ""
        for line in one.body.splitlines():
            with contextlib.suppress(ValueError, KeyError, IndexError, TypeError):
                text += json.loads(line.removeprefix("data: "))["choices"][0]["delta"].get("content") or ""
        return text
