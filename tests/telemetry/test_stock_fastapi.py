"""`opentelemetry-instrument` with a small application that is unaware of Loam."""

from __future__ import annotations

import httpx
import pytest

from services_kit.process import Process, free_port, http_ok, temporary_folder
from support.api import eventually
from telemetry.conftest import SAMPLES, Project, program

pytestmark = pytest.mark.one_database


def test_requests_of_an_application_become_records_with_their_calls(project: Project) -> None:
    port = free_port()
    shop = Process("shop", temporary_folder("shop"))
    command = [
        program("opentelemetry-instrument"),
        program("uvicorn"),
        "shop:app",
        "--app-dir",
        str(SAMPLES),
        "--port",
        str(port),
    ]
    shop.launch(command, env=project.environment())
    try:
        url = f"http://127.0.0.1:{port}"
        shop.wait_until(lambda: http_ok(f"{url}/openapi.json"), 60)
        with httpx.Client(base_url=url, trust_env=False) as http:
            for user in (7, 8):
                assert http.get(f"/users/{user}", params={"page": "2", "token": "hidden"}).status_code == 200
            assert http.get("/broken").status_code == 500
        # the instrumentation exports metrics while the application runs
        values = eventually(lambda: project.api.all("performance_metrics", project_id=project.id), seconds=20)
    finally:
        shop.end()

    def records() -> list[dict]:
        rows = project.api.all("performance_records", project_id=project.id)
        return [row for row in rows if row["request_info"]["path"] != "/openapi.json"]

    rows = eventually(lambda: len(records()) == 3 and records(), seconds=20)
    users = [row for row in rows if row["request_info"]["path"] in ("/users/7", "/users/8")]
    assert len(users) == 2, rows
    row = project.api.get(f"/api/v1/performance_records/{users[0]['id']}")
    assert row["request_info"]["method"] == "GET", row
    assert row["response_info"]["status_code"] == 200, row
    assert row["version_info"]["app_version"] == "1.4.0", row
    assert row["version_info"]["git_commit"] == "abc123", row
    assert row["performance_metrics"]["database_metrics"]["query_count"] == 2, row
    assert row["request_info"]["query_params"]["token"] == "[redacted]", row
    calls = project.api.get("/api/v1/function_calls", trace_id=row["trace_id"])["data"]
    queries = [call for call in calls if "database" in call["performance_tags"]]
    assert len(queries) == 2, calls
    roots = [call for call in calls if call["parent_call_id"] is None]
    assert len(roots) == 1, calls
    assert "secret-name" not in str(calls), "values of statements are not stored"
    broken = next(row for row in rows if row["request_info"]["path"] == "/broken")
    assert broken["response_info"]["status_code"] == 500
    calls = project.api.get("/api/v1/function_calls", trace_id=broken["trace_id"])
    assert "out of order" in str(calls), calls
    assert "sk-0123456789abcdef" not in str(calls), calls

    errors = project.api.get(f"/api/v1/performance_records/{broken['id']}")["errors"]
    assert [error["error_type"] for error in errors] == ["ValueError"], "one error, from the span that has its message"

    stack = project.api.get(f"/api/v1/error_logs/{errors[0]['id']}")["stack_trace"]
    assert "shop.py" in stack, stack
    assert "sk-0123456789abcdef" not in stack, stack

    names = {value["metric_name"] for value in values}
    counts = [name for name in names if name.startswith("http.server.") and name.endswith(".count")]
    assert counts, names
    assert all(value["tags"]["service.name"] == "shop" for value in values)
