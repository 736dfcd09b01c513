"""The services that every suite shares, started once in each process and stopped at the end, and how tests are chosen."""

from __future__ import annotations

import itertools
import os
import random
import signal
import sys
from collections.abc import Callable, Iterator

import pytest

from services import LlMock, PgBouncer, Postgres, RealModel
from support.api import Api
from support.deployment import Deployment, add_usual_providers, deploy
from support.parallel import ByFileAndDatabase, longest_first

# The long form of the checks, of `make soak`.
SOAK = os.environ.get("LOAM_SOAK") == "1"
DATABASES = ["sqlite", "postgres"]
_numbers = itertools.count(1)

# Set before processes are started, which inherit them, and before the suites read them.
for suite in ("GATEWAY", "LEDGER", "SURFACE"):
    os.environ.setdefault(f"LOAM_{suite}_SEED", str(random.SystemRandom().randrange(2**32)))


def pytest_configure() -> None:
    # A SIGTERM ends the run like Ctrl-C, so that no service outlives it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByFileAndDatabase:
    return ByFileAndDatabase(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    def again(item: pytest.Item) -> bool:
        parameters = getattr(item, "callspec", None)
        on_postgres = parameters is not None and any(value == "postgres" for value in parameters.params.values())
        return on_postgres and item.get_closest_marker("one_database") is not None

    if not SOAK:
        config.hook.pytest_deselected(items=[item for item in items if again(item)])
        items[:] = [item for item in items if not again(item)]
    if hasattr(config, "workerinput"):
        longest_first(items)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    # Processes are killed here, never the machine: what is written survives without a sync.
    with Postgres(fsync=False) as server:
        yield server


@pytest.fixture(scope="session")
def pgbouncer(postgres: Postgres) -> Iterator[PgBouncer]:
    with PgBouncer(postgres) as bouncer:
        yield bouncer


# Of this process.
_mocks: list[LlMock] = []


@pytest.fixture(scope="module", autouse=True)
def nothing_scripted() -> None:
    """What a test of another file scripted and did not use would answer a question of this one."""
    for server in _mocks:
        server.reset()


@pytest.fixture(scope="session")
def mock() -> Iterator[LlMock]:
    with LlMock() as server:
        _mocks.append(server)
        yield server


@pytest.fixture(scope="session")
def slow() -> Iterator[LlMock]:
    """The mock with a pause between the chunks of a stream, as a real model has."""
    with LlMock(chunk_delay_ms=60) as server:
        _mocks.append(server)
        yield server


@pytest.fixture(scope="session")
def real() -> Iterator[RealModel]:
    # One thread: llama.cpp's threads spin while they wait for each other, which is very slow on cores that others use too.
    with RealModel(threads=1) as server:
        yield server


@pytest.fixture(scope="module", params=DATABASES)
def deployment(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """A Loam of the module's own on either database, without providers."""
    server = request.getfixturevalue("postgres") if request.param == "postgres" else None
    with deploy(request.param, server) as made:
        yield made


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
