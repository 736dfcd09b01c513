"""Fixtures of the gateway's suites: a Loam on each database, and providers that fail on demand."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from services import Faulty

SEED = int(os.environ["LOAM_GATEWAY_SEED"])


def pytest_report_header() -> str:
    return f"gateway: LOAM_GATEWAY_SEED={SEED}"


@pytest.fixture
def soak() -> bool:
    return os.environ.get("LOAM_SOAK") == "1"


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
