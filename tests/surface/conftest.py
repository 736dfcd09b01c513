"""Fixtures of the surface suites: one Loam per database and module, and separate ones where a test needs it."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from services import Loam

SEED = int(os.environ["LOAM_SURFACE_SEED"])


@pytest.fixture
def soak() -> bool:
    return os.environ.get("LOAM_SOAK") == "1"


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Seeded with the run's seed and the test's name; the seed is shown when the test fails."""
    print(f"LOAM_SURFACE_SEED={SEED}")
    return random.Random(f"{SEED}/{request.node.name}")


@pytest.fixture
def loam() -> Iterator[Loam]:
    """A Loam for one test, on SQLite, not started."""
    with Loam(start=False) as made:
        yield made
