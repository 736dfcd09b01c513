"""The database stops and restarts under load: the gateway continues, and the ledger is complete afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from services import LlMock, Postgres
from support.api import assert_error, eventually
from support.compare import assert_complete
from support.deployment import MOCK_MODELS, Deployment, add_usual_providers, deploy
from support.load import Load

MODELS = [f"mock/{name}" for name in MOCK_MODELS[:2]]


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[Postgres]:
    """A PostgreSQL that these tests may stop while it is in use."""
    with Postgres() as server:
        yield server


@pytest.fixture
def deployment(own_postgres: Postgres, mock: LlMock) -> Iterator[Deployment]:
    if not own_postgres.running:
        own_postgres.start()
    mock.reset()
    with deploy("postgres", own_postgres) as made:
        add_usual_providers(made, mock)
        yield made
        if not own_postgres.running:
            own_postgres.start()


async def test_the_gateway_serves_calls_while_the_database_is_down(deployment, own_postgres, mock, dice, round_number):
    load = Load(deployment.loam.url, deployment.loam.key, MODELS, dice, f"down{round_number}")
    running = asyncio.create_task(load.run(60))
    await asyncio.sleep(dice.uniform(0.3, 0.8))
    await asyncio.to_thread(own_postgres.stop, dice.choice(["fast", "immediate"]))
    before = len(load.seen)
    await asyncio.sleep(dice.uniform(0.3, 1.0))
    await asyncio.to_thread(eventually, lambda: any(each.acknowledged for each in load.seen[before + load.clients :]))
    await asyncio.to_thread(own_postgres.start)
    await asyncio.sleep(0.5)
    load.stop()
    await running
    refused = [each for each in load.seen if not each.acknowledged]
    assert not refused, f"{len(refused)} of {len(load.seen)} calls were refused, the first: {refused[0]}"
    assert_complete(deployment.api, load.seen, mock.requests(), crashed=False)


async def test_a_kill_while_the_database_is_down_loses_nothing(deployment, own_postgres, mock, dice):
    """Acknowledged calls are only in the journal at that moment."""
    load = Load(deployment.loam.url, deployment.loam.key, MODELS, dice, "downkill")
    running = asyncio.create_task(load.run(60))
    await asyncio.sleep(0.4)
    await asyncio.to_thread(own_postgres.stop, "immediate")
    await asyncio.sleep(dice.uniform(0.3, 0.8))
    deployment.loam.kill9()
    load.stop()
    await running
    assert load.acknowledged
    await asyncio.to_thread(own_postgres.start)
    deployment.loam.start()
    assert_complete(deployment.api, load.seen, mock.requests(), crashed=True)


async def test_a_call_can_be_read_by_id_before_the_database_has_it(deployment, own_postgres, dice):
    """Endpoints that need the database report that it is unavailable, in the common error shape."""
    load = Load(deployment.loam.url, deployment.loam.key, MODELS, dice, "undrained", clients=1)
    await load.run(0.2)
    own_postgres.stop("fast")
    down = Load(deployment.loam.url, deployment.loam.key, MODELS, dice, "while", clients=1)
    await down.run(0.3)
    assert down.acknowledged
    one = down.acknowledged[-1]
    row = deployment.api.get(f"/api/v1/llm_calls/{one.call_id}")
    assert (row["state"], row["request_id"]) == ("settled", one.marker)
    assert_error(deployment.api.call("GET", "/api/v1/users"), 503)
    own_postgres.start()


async def test_readiness_and_liveness_differ(deployment, own_postgres):
    """Without the database the process is alive and serves calls: it must not be restarted for that."""
    own_postgres.stop("fast")
    await asyncio.sleep(0.5)
    assert deployment.api.call("GET", "/healthz").status_code == 200
    able = deployment.api.get("/readyz")
    assert (able["status"], able["database"], able["journal"]) == ("degraded", False, True)
    own_postgres.start()
    await asyncio.to_thread(eventually, lambda: deployment.api.get("/readyz")["status"] == "ready")
