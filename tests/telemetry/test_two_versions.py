"""A diagnosed problem is fixed in the next version, and the improvement is measured."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from services import Loam
from services_kit.process import Process, free_port, http_ok, temporary_folder
from support.api import Api, eventually
from telemetry.conftest import SAMPLES, Project, program

REQUESTS = 60
# Those of a version without which nothing is measured.
MIN_SAMPLES = 50
ENDPOINT = "GET /orders"


@pytest.fixture
def project() -> Iterator[Project]:
    with Loam() as loam:
        api = Api(loam.url, loam.key)
        made = api.create("projects", {"name": "orders", "framework": "fastapi"})
        yield Project(made["id"], api, api.with_key(made["ingest_key"]))


def serve(project: Project, version: str, **environment: str) -> None:
    """Runs a version of the application with standard instrumentation for some requests."""
    port = free_port()
    variables = project.environment(OTEL_RESOURCE_ATTRIBUTES=f"service.version={version}", **environment)
    application = Process("orders", temporary_folder("orders"))
    command = [program("opentelemetry-instrument"), program("uvicorn"), "orders:app", "--app-dir", str(SAMPLES)]
    application.launch([*command, "--port", str(port)], env=variables)
    try:
        application.wait_until(lambda: http_ok(f"http://127.0.0.1:{port}/openapi.json"), 60)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
            names = [http.get("/orders").raise_for_status().json()["customers"] for _ in range(REQUESTS)]
        assert len(names[0]) == 20
        versions = {"project_id": project.id, "endpoint": ENDPOINT, "version": version}
        eventually(lambda: len(project.api.all("performance_records", **versions)) == REQUESTS, 30)
    finally:
        application.end()


def test_the_predicted_gain_is_measured_after_the_fix(project: Project) -> None:
    serve(project, "1.0")
    serve(project, "1.1", ORDERS_JOINED="1")
    api = project.api

    # both versions have records; only the first one has the problem
    slow, quick = (
        api.all("performance_records", project_id=project.id, endpoint=ENDPOINT, version=version)[0] for version in ("1.0", "1.1")
    )
    found = api.get(f"/api/v1/performance_records/{slow['id']}")["findings"]
    assert "n_plus_one" in {one["rule"] for one in found}, found
    fixed = api.get(f"/api/v1/performance_records/{quick['id']}")
    assert "n_plus_one" not in {one["rule"] for one in fixed["findings"]}, fixed["findings"]
    assert fixed["score"] > slow["score"]
    for one in found:
        assert one["function"] in one["description"]
        assert all(text in one["description"] for text in one["parameters"].values() if isinstance(text, str)), one

    query = {"project_id": project.id, "base_version": "1.0", "version": "1.1"}
    compared = api.get("/api/v1/comparisons", **query)
    (endpoint,) = [one for one in compared["endpoints"] if one["endpoint"] == ENDPOINT]
    assert endpoint["verdict"] == "faster", endpoint
    (suggestion,) = eventually(
        lambda: [
            one
            for one in api.all("suggestions", project_id=project.id)
            if one["finding"] == "n_plus_one" and one["measured_gain"] is not None
        ],
        150,
    )
    assert (suggestion["version"], suggestion["measured_version"]) == ("1.0", "1.1"), suggestion
    measured = suggestion["measured"]
    assert measured["is_evident"], suggestion
    assert measured["low"] < suggestion["measured_gain"] < measured["high"]
    # It is measured as soon as it is evident, whether or not all requests have arrived by then.
    samples = measured["samples"]
    assert samples["before"] == REQUESTS
    assert MIN_SAMPLES <= samples["after"] <= REQUESTS
    assert suggestion["predicted_gain"] == pytest.approx(suggestion["measured_gain"], abs=0.25), suggestion
