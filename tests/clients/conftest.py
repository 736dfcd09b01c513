"""One Loam over the mock and the real model for all stock clients, and the check that it recorded their calls."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

import pytest

from services import LlMock, RealModel
from support.api import Api, calls_with, eventually
from support.deployment import Deployment, add_usual_providers, deploy

MOCK = "mock/gpt-4o"
REAL = "local/smollm2-135m-instruct"


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def loam(request: pytest.FixtureRequest, mock: LlMock, slow: LlMock, real: RealModel) -> Iterator[Deployment]:
    server = request.getfixturevalue("postgres") if request.param == "postgres" else None
    with deploy(request.param, server) as made:
        add_usual_providers(made, mock, slow, real)
        yield made


@pytest.fixture
def api(loam: Deployment) -> Api:
    return loam.api


@pytest.fixture(params=[MOCK, REAL], ids=["mock", "real"])
def model(request: pytest.FixtureRequest) -> str:
    """Each test that takes this runs over the mock and over the real model."""
    return request.param


@pytest.fixture
def ask(api: Api) -> Iterator[Callable[..., str]]:
    """`ask(text, calls=1)` gives a prompt that can be recognised. After the test, exactly `calls` calls of it are in
    the ledger, settled, with the tokens that the provider reported."""
    expected: dict[str, int] = {}

    def prompt(text: str, calls: int = 1) -> str:
        marker = f"m{secrets.token_hex(6)}"
        expected[marker] = calls
        return f"{text} [{marker}]"

    yield prompt

    for marker, calls in expected.items():

        def recorded(marker: str = marker, calls: int = calls) -> list[dict]:
            rows = calls_with(api, marker)
            assert len(rows) == calls, f"{len(rows)} calls recorded of {marker}, not {calls}"
            return rows

        for row in eventually(recorded):
            assert row["state"] == "settled", row
            assert row["status_code"] == 200, row
            assert row["prompt_tokens"] > 0, row
            assert row["total_tokens"] == row["prompt_tokens"] + row["completion_tokens"], row
            if row["endpoint"].endswith("chat/completions"):
                assert row["completion_tokens"] > 0, row
            assert row["latency_ms"] > 0, row
            assert row["response_data"] is not None, row
            assert row["error_message"] is None, row
            assert row["source"] == "gateway", row
            assert row["attempts"], row
