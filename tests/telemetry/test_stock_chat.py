"""Model calls reported by standard instrumentation libraries."""

from __future__ import annotations

import secrets
import sys

import pytest

from services import LlMock
from support.api import Api, eventually
from support.deployment import Deployment, add_usual_providers
from telemetry.conftest import Project, run

pytestmark = pytest.mark.one_database
LIBRARIES = ["openinference", "openllmetry"]


@pytest.fixture(scope="module")
def api(deployment: Deployment, mock: LlMock) -> Api:
    add_usual_providers(deployment, mock)
    price = {"provider": "mock", "model": "gpt-4o", "input_per_million": 2.0, "output_per_million": 8.0}
    deployment.api.create("model_prices", price)
    return deployment.api


def calls(api: Api, trace: str, count: int) -> list[dict]:
    rows = eventually(lambda: len(found := api.all("llm_calls", trace_id=trace)) >= count and found, seconds=20)
    return [api.get(f"/api/v1/llm_calls/{row['id']}") for row in rows]


def used(api: Api, project: Project, source: str) -> int:
    sums = api.get("/api/v1/usage", project_id=project.id, group_by="source")["data"]
    return sum(group["calls"] for group in sums if group["source"] == source)


@pytest.mark.parametrize("library", LIBRARIES)
def test_calls_to_a_provider_are_recorded_with_usage_and_cost(api: Api, project: Project, mock: LlMock, library: str) -> None:
    marker = f"m{secrets.token_hex(6)}"
    environment = project.environment(OPENAI_BASE_URL=mock.base_url, OPENAI_API_KEY="sk-none")
    trace = run([sys.executable, "chat_program.py", library, "gpt-4o", marker], environment).strip()
    rows = calls(api, trace, 2)
    assert len(rows) == 2, rows
    for row in rows:
        assert (row["source"], row["state"], row["provider"]) == ("otlp", "settled", "openai"), row
        assert row["model"].startswith("gpt-4o"), row
        assert row["prompt_tokens"] > 0, row
        assert row["completion_tokens"] > 0, row
        assert row["cost_usd"] == pytest.approx((2 * row["prompt_tokens"] + 8 * row["completion_tokens"]) / 1e6)
        assert row["project_id"] == project.id, row
        assert marker in str(row["request_data"]), row
        assert row["response_data"], row
    assert used(api, project, "otlp") == 2
    assert used(api, project, "gateway") == 0
    root = eventually(lambda: project.api.all("performance_records", project_id=project.id))
    assert [row["trace_id"] for row in root] == [trace]


@pytest.mark.parametrize("library", LIBRARIES)
def test_calls_through_loam_are_counted_once_however_often_they_are_reported(api: Api, project: Project, library: str) -> None:
    key = api.create("api_keys", {"name": f"chat-{secrets.token_hex(4)}", "scopes": ["gateway:call"], "project_id": project.id})
    environment = project.environment(OPENAI_BASE_URL=f"{api.url}/v1", OPENAI_API_KEY=key["key"])
    trace = run([sys.executable, "chat_program.py", library, "mock/gpt-4o", "hello"], environment).strip()
    # the program sends all spans before it ends: once its record is stored, so are its calls
    eventually(lambda: project.api.all("performance_records", project_id=project.id), seconds=20)
    rows = calls(api, trace, 2)
    assert [row["source"] for row in rows] == ["gateway", "gateway"], rows
    assert used(api, project, "otlp") == 0
