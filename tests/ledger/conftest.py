"""Rounds and seeds. Each round has its own Loam and database, so that a round can be repeated by its seed."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from services import Postgres

ROUNDS = int(os.environ.get("LOAM_LEDGER_ROUNDS", "3"))
SEED = int(os.environ["LOAM_LEDGER_SEED"])


def pytest_report_header() -> str:
    return f"ledger: {ROUNDS} rounds, LOAM_LEDGER_SEED={SEED}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `round_number` runs once for each round."""
    if "round_number" in metafunc.fixturenames:
        metafunc.parametrize("round_number", range(ROUNDS))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One that syncs, as in production."""
    with Postgres() as server:
        yield server


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """Seeded by the run's seed and the test's own name; the seed is shown when the test fails."""
    print(f"LOAM_LEDGER_SEED={SEED}")
    return random.Random(f"{SEED}/{request.node.name}")
