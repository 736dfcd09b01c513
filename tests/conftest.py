"""The services that every suite shares, started once and stopped at the end."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator

import pytest

from services import LlMock, PgBouncer, Postgres, RealModel
from support.deployment import Deployment, deploy

DATABASES = ["sqlite", "postgres"]


def pytest_configure() -> None:
    # A SIGTERM ends the run like Ctrl-C, so that no service outlives it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def pgbouncer(postgres: Postgres) -> Iterator[PgBouncer]:
    with PgBouncer(postgres) as bouncer:
        yield bouncer


@pytest.fixture(scope="session")
def mock() -> Iterator[LlMock]:
    with LlMock() as server:
        yield server


@pytest.fixture(scope="session")
def slow() -> Iterator[LlMock]:
    """The mock with a pause between the chunks of a stream, as a real model has."""
    with LlMock(chunk_delay_ms=60) as server:
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
