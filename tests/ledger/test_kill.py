"""`kill -9` at a random moment under load: every acknowledged call is in the ledger once, and nothing unexplained is."""

from __future__ import annotations

import asyncio
import contextlib
import random

import pytest

from services import LlMock
from support.api import eventually
from support.compare import assert_complete
from support.deployment import MOCK_MODELS, add_usual_providers, deploy
from support.load import Load

MODELS = [f"mock/{MOCK_MODELS[0]}", f"mock/{MOCK_MODELS[1]}"]


@contextlib.contextmanager
def loam_on(database: str, request: pytest.FixtureRequest, mock: LlMock):
    """A fresh Loam over the mock, whose own count starts at zero."""
    postgres = request.getfixturevalue("postgres") if database != "sqlite" else None
    through = request.getfixturevalue("pgbouncer") if database == "pgbouncer" else None
    mock.reset()
    with deploy(database, postgres, through=through) as made:
        add_usual_providers(made, mock)
        yield made


async def load_and_kill(deployment, load: Load, dice: random.Random, kills: int) -> None:
    """Continuous load; the server dies and restarts under it."""

    async def kill() -> None:
        for _ in range(kills):
            await asyncio.sleep(dice.uniform(0.15, 1.0))
            deployment.loam.kill9()
            await asyncio.to_thread(deployment.loam.start)

    killer = asyncio.create_task(kill())
    running = asyncio.create_task(load.run(60))
    await killer
    await asyncio.sleep(0.4)
    load.stop()
    await running


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
async def test_a_kill_loses_no_acknowledged_call(database, request, mock, dice, round_number):
    with loam_on(database, request, mock) as deployment:
        load = Load(deployment.loam.url, deployment.loam.key, MODELS, dice, f"kill{round_number}")
        await load_and_kill(deployment, load, dice, kills=1)
        assert load.acknowledged, "not one call was acknowledged: this proves nothing"
        assert_complete(deployment.api, load.seen, mock.requests(), crashed=True)


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
async def test_kill_upon_kill_replays_nothing_twice(database, request, mock, dice):
    """The second kill may come while the first one's journal is still being replayed."""
    with loam_on(database, request, mock) as deployment:
        load = Load(deployment.loam.url, deployment.loam.key, MODELS, dice, "again")
        await load_and_kill(deployment, load, dice, kills=3)
        deployment.loam.kill9()
        for _ in range(3):
            # Killed before it is ready, at any stage of its start.
            deployment.loam.launch()
            await asyncio.sleep(dice.uniform(0.0, 0.3))
            deployment.loam.kill9()
        deployment.loam.start()
        assert_complete(deployment.api, load.seen, mock.requests(), crashed=True)


async def test_behind_pgbouncer_in_transaction_mode_a_kill_loses_nothing(request, mock, dice):
    with loam_on("pgbouncer", request, mock) as deployment:
        load = Load(deployment.loam.url, deployment.loam.key, MODELS, dice, "bounced")
        await load_and_kill(deployment, load, dice, kills=1)
        assert load.acknowledged
        assert_complete(deployment.api, load.seen, mock.requests(), crashed=True)


async def test_a_call_in_flight_at_the_kill_is_orphaned(request, mock, dice):
    """Sent to the provider, durable, and never ended: found at the next start."""
    with loam_on("sqlite", request, mock) as deployment:
        mock.script({"type": "delay", "seconds": 3, "match": {"model": MOCK_MODELS[1]}})
        load = Load(deployment.loam.url, deployment.loam.key, [MODELS[1]], dice, "orphan", clients=1)
        running = asyncio.create_task(load.run(0.1))
        # Long enough for the intent to be durable, which is within milliseconds of the request.
        await asyncio.sleep(1)
        deployment.loam.kill9()
        await running
        deployment.loam.start()

        def orphaned() -> bool:
            rows = deployment.api.get("/api/v1/llm_calls", state="orphaned")["data"]
            assert [row["request_id"] for row in rows] == [load.seen[0].marker]
            return True

        eventually(orphaned)


async def test_a_clean_stop_ends_every_started_call(request, mock, dice):
    """SIGTERM drains: every accepted call gets a complete response, and nothing is orphaned."""
    with loam_on("sqlite", request, mock) as deployment:
        load = Load(deployment.loam.url, deployment.loam.key, MODELS, dice, "drain")
        running = asyncio.create_task(load.run(60))
        await asyncio.sleep(dice.uniform(0.4, 0.8))
        stopping = asyncio.create_task(asyncio.to_thread(deployment.loam.stop))
        await asyncio.sleep(0.3)
        load.stop()
        await running
        assert await stopping == 0
        deployment.loam.start()
        assert load.acknowledged
        assert_complete(deployment.api, load.seen, mock.requests(), crashed=False)
