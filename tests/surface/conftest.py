"""What the suites of the surface start from: one Loam on each database for a module, and fresh ones where a test needs it."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from services import Loam

# The long form of the checks, of `make soak`.
SOAK = os.environ.get("LOAM_SOAK") == "1"
SEED = int(os.environ.get("LOAM_SURFACE_SEED") or random.SystemRandom().randrange(2**32))


@pytest.fixture
def soak() -> bool:
    return SOAK


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """Seeded by the run's seed and the test's own name; the seed is shown when the test fails."""
    print(f"LOAM_SURFACE_SEED={SEED}")
    return random.Random(f"{SEED}/{request.node.name}")


@pytest.fixture
def loam() -> Iterator[Loam]:
    """A Loam of the test's own, on SQLite, not started yet."""
    with Loam(start=False) as made:
        yield made
