"""Client applications that start quickly, unmodified, over strict providers of both formats. `make clients` runs all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services import Loam, Strict
from support.application_runs import check, prepare, start
from support.applications import APPLICATIONS, Application, models_for

pytestmark = pytest.mark.one_database

QUICK = [application for application in APPLICATIONS if application.name in ("codex", "claude-code", "llm")]
CASES = [
    pytest.param(application, model, id=f"{application.name}-{model}")
    for application in QUICK
    for model in models_for(application)
]


@pytest.fixture(scope="module")
def strict() -> Iterator[tuple]:
    with Strict() as upstream, Loam() as loam:
        yield upstream, loam, *prepare(loam, upstream)


@pytest.mark.parametrize(("application", "model"), CASES)
def test_an_application_uses_a_tool_and_its_result(strict, application: Application, model: str):
    upstream, loam, api, ingest_key = strict
    assert check(api, upstream, application, start(application, loam, ingest_key, model)) == []


def test_what_claude_code_sends_and_a_model_refuses_is_left_out_and_noted(strict):
    upstream, loam, api, ingest_key = strict
    claude = next(application for application in QUICK if application.name == "claude-code")
    outcome = start(claude, loam, ingest_key, "openai/gpt-4.1")
    assert check(api, upstream, claude, outcome) == []
    call = api.get("/api/v1/llm_calls", limit=1)["data"][0]
    assert call["attempts"][0]["omitted"] == ["reasoning_effort: `gpt-4.1` doesn't take it"]
    shown = loam.cli_json("call", "show", call["id"])
    assert shown["attempts"] == call["attempts"]
