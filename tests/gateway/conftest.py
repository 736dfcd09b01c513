"""Fixtures of the gateway's suites: a Loam on each database, and providers that fail on demand."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from services import Faulty

# The long form of the checks, of `make soak`.
SOAK = os.environ.get("LOAM_SOAK") == "1"
SEED = int(os.environ.get("LOAM_GATEWAY_SEED") or random.SystemRandom().randrange(2**32))


def pytest_report_header() -> str:
    return f"gateway: {'soak, ' if SOAK else ''}LOAM_GATEWAY_SEED={SEED}"


@pytest.fixture
def soak() -> bool:
    return SOAK


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """Seeded by the run's seed and the test's own name; the seed is shown when the test fails."""
    print(f"LOAM_GATEWAY_SEED={SEED}")
    return random.Random(f"{SEED}/{request.node.name}")


@pytest.fixture(scope="module")
def upstreams() -> Iterator[list[Faulty]]:
    """Three providers' servers."""
    with ExitStack() as stack:
        yield [stack.enter_context(Faulty(name)) for name in ("one", "two", "three")]


@pytest.fixture
def three(upstreams: list[Faulty]) -> list[Faulty]:
    """The three, healthy and without recorded requests."""
    for each in upstreams:
        each.recover()
    return upstreams
