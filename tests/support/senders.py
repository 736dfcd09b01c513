"""Monitored applications while the server is killed: each repeats a batch until acknowledged, then sends the next."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from .telemetry import PATH, record

ENDPOINTS = ["/users/{id}", "/orders", "/orders/{id}/items"]


@dataclass
class Senders:
    """`sent` holds every acknowledged record, by trace; `repeats` counts batches sent again."""

    url: str
    key: str
    dice: random.Random
    clients: int = 6
    sent: dict[str, dict[str, Any]] = field(default_factory=dict)
    repeats: int = 0
    _stopped: bool = False

    def stop(self) -> None:
        self._stopped = True

    async def run(self) -> None:
        """Runs until `stop`; started batches are sent until acknowledged."""
        await asyncio.gather(*(self._client(number) for number in range(self.clients)))

    async def _client(self, client: int) -> None:
        headers = {"authorization": f"Bearer {self.key}"}
        batches = 0
        async with httpx.AsyncClient(base_url=self.url, headers=headers, timeout=10, trust_env=False, verify=False) as http:
            while not self._stopped:
                batches += 1
                batch = [self._record(f"{client}-{batches}-{place}") for place in range(self.dice.randint(1, 12))]
                while not await self._acknowledged(http, batch):
                    self.repeats += 1
                    await asyncio.sleep(self.dice.uniform(0.01, 0.1))
                self.sent |= {each["trace_id"]: each for each in batch}
                # One in so many is sent again although acknowledged, like a client that missed the response.
                if self.dice.random() < 0.1:
                    self.repeats += 1
                    await self._acknowledged(http, batch)

    async def _acknowledged(self, http: httpx.AsyncClient, batch: list[dict[str, Any]]) -> bool:
        try:
            answer = await http.post(PATH, json={"records": batch})
        except httpx.HTTPError:
            return False
        assert answer.status_code in (202, 500, 503), answer.text
        assert answer.status_code != 202 or answer.json() == {"accepted": len(batch), "rejected": []}
        return answer.status_code == 202

    def _record(self, trace: str) -> dict[str, Any]:
        return record(
            trace,
            calls=self.dice.randint(0, 20),
            timestamp=round(time.time() - 1, 6),
            endpoint=self.dice.choice(ENDPOINTS),
            response_info={"status_code": self.dice.choice([200, 200, 200, 404, 500])},
            performance_metrics={"total_duration": self.dice.randint(1, 500) / 1000},
        )
