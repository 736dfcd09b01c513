"""What the suites of the surface start from: one Loam on each database for a module, and fresh ones where a test needs it."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable, Iterator

import pytest

from services import LlMock, Loam
from support.api import Api
from support.deployment import Deployment, add_usual_providers

_numbers = itertools.count(1)
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
def api(deployment: Deployment) -> Api:
    """The operator's key, with all scopes, in tenant `default`."""
    return deployment.api


@pytest.fixture
def name() -> Callable[[str], str]:
    """A name that no other test uses."""
    return lambda prefix="thing": f"{prefix}-{next(_numbers)}"


@pytest.fixture
def tenant(deployment: Deployment, name: Callable[[str], str]) -> Api:
    """A new tenant's first key."""
    return deployment.tenant(name("tenant"))


@pytest.fixture(scope="module")
def gateway(deployment: Deployment, mock: LlMock) -> Deployment:
    """The deployment with the mock as provider `mock`."""
    add_usual_providers(deployment, mock)
    return deployment


@pytest.fixture
def loam() -> Iterator[Loam]:
    """A Loam of the test's own, on SQLite, not started yet."""
    with Loam(start=False) as made:
        yield made
