"""`kill -9` under telemetry: every acknowledged record is stored once, and the sums equal a recount."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.api import Api, eventually
from support.deployment import deploy
from support.senders import Senders
from support.telemetry import sender


@contextlib.contextmanager
def loam_on(database: str, request: pytest.FixtureRequest):
    postgres = request.getfixturevalue("postgres") if database != "sqlite" else None
    with deploy(database, postgres) as made:
        yield made


async def send_and_kill(deployment: Any, senders: Senders, dice: random.Random, kills: int) -> None:
    """Continuous senders; the server dies and restarts under them."""
    running = asyncio.create_task(senders.run())
    for _ in range(kills):
        await asyncio.sleep(dice.uniform(0.15, 1.0))
        deployment.loam.kill9()
        await asyncio.to_thread(deployment.loam.start)
    await asyncio.sleep(0.4)
    senders.stop()
    await running


def recount(records: list[dict[str, Any]]) -> dict[str, tuple[int, int, int, int]]:
    """By endpoint: requests, errors, milliseconds, calls including the record's own."""
    sums: dict[str, Counter] = {}
    for each in records:
        sums.setdefault(f"GET {each['endpoint']}", Counter()).update(
            requests=1,
            errors=int(each["response_info"]["status_code"] >= 500),
            milliseconds=round(each["performance_metrics"]["total_duration"] * 1000),
            calls=len(each["function_calls"]) + 1,
        )
    return {name: (s["requests"], s["errors"], s["milliseconds"], s["calls"]) for name, s in sums.items()}


def summed(api: Api, project: str, granularity: str) -> dict[str, tuple[int, int, int, int]]:
    """The same sums from the statistics."""
    now = datetime.now(UTC)
    span = {"from": (now - timedelta(hours=1)).isoformat(), "to": (now + timedelta(minutes=1)).isoformat()}
    rows = api.get("/api/v1/endpoint_stats", project_id=project, granularity=granularity, **span)["data"]
    return {row["endpoint"]: (row["requests"], row["errors"], round(row["total_duration"] * 1000), row["calls"]) for row in rows}


def assert_complete(api: Api, project: str, senders: Senders) -> None:
    assert senders.sent, "not one batch was acknowledged: this proves nothing"

    def all_there() -> bool:
        rows = api.all("performance_records", project_id=project, limit=200)
        stored = Counter(row["trace_id"] for row in rows)
        assert stored.keys() >= senders.sent.keys(), f"lost: {sorted(senders.sent.keys() - stored.keys())[:5]}"
        assert stored.keys() <= senders.sent.keys(), f"never acknowledged: {sorted(stored.keys() - senders.sent.keys())[:5]}"
        assert max(stored.values()) == 1, f"stored twice: {stored.most_common(5)}"
        counts = {row["trace_id"]: row["call_count"] for row in rows}
        wanted = {trace: len(each["function_calls"]) + 1 for trace, each in senders.sent.items()}
        assert counts == wanted
        return True

    eventually(all_there, 30)
    wanted = recount(list(senders.sent.values()))

    def sums_agree() -> bool:
        for granularity in ("minute", "hour"):
            assert summed(api, project, granularity) == wanted, granularity
        return True

    eventually(sums_agree, 30)


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
async def test_a_kill_loses_no_acknowledged_record_and_counts_none_twice(database, request, dice, round_number):
    with loam_on(database, request) as deployment:
        key, project = sender(deployment.api, f"killed-{round_number}")
        senders = Senders(deployment.loam.url, key.key, dice)
        await send_and_kill(deployment, senders, dice, kills=dice.randint(1, 3))
        assert senders.repeats, "nothing was sent twice: this proves less than it says"
        assert_complete(deployment.api, project["id"], senders)


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
async def test_a_kill_while_records_are_replayed_counts_none_twice(database, request, dice):
    """Killed again before it is ready, at any stage of its start."""
    with loam_on(database, request) as deployment:
        key, project = sender(deployment.api, "killed-again")
        senders = Senders(deployment.loam.url, key.key, dice)
        await send_and_kill(deployment, senders, dice, kills=1)
        deployment.loam.kill9()
        for _ in range(3):
            deployment.loam.launch()
            await asyncio.sleep(dice.uniform(0.0, 0.3))
            deployment.loam.kill9()
        deployment.loam.start()
        assert_complete(deployment.api, project["id"], senders)
