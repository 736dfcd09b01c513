"""Reading telemetry: records, their calls, statistics and exports, by API and command line."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import pytest

from support.api import Api, assert_error, eventually
from support.telemetry import record, send, sender

LOAD = {"name": "load", "module": "shop.orders", "file_path": "/srv/shop/orders.py", "line_number": 12}
QUERY = {"name": "execute", "module": "db", "class_name": "Session"}


def order(number: int, version: str, slow: float = 0.0) -> dict:
    """A request of at least 0.1 s: a function with a query in it."""
    return record(
        f"order-{version}-{number}",
        endpoint="GET /orders/{id}",
        request_info={"method": "GET", "path": f"/orders/{number}", "query_params": {"page": "2"}},
        response_info={"status_code": 500 if number == 3 else 200, "response_size": 812},
        performance_metrics={"total_duration": 0.1 + slow, "memory_usage": {"peak_memory": 64, "memory_delta": 1}},
        version_info={"app_version": version},
        functions=[LOAD, QUERY],
        function_calls=[
            {"call_id": "1", "function": 0, "start_offset": 0.01, "duration": 0.08 + slow},
            {"call_id": "2", "parent_call_id": "1", "function": 1, "start_offset": 0.02, "duration": 0.03}
            | {"kind": "database", "detail": {"system": "postgresql", "statement": "SELECT 1"}},
        ],
    )


@pytest.fixture(scope="module")
def told(deployment) -> tuple[Api, dict]:
    """A project with ten stored requests of two versions."""
    api = deployment.api
    key, project = sender(api, "read-again")
    send(key, [order(number, "1.0") for number in range(5)] + [order(number, "1.1", 0.05) for number in range(5)])
    eventually(lambda: len(api.all("performance_records", project_id=project["id"])) == 10)
    return api, project


def test_a_record_is_read_as_it_was_told(told):
    api, project = told
    listed = api.all("performance_records", project_id=project["id"], trace_id="order-1.1-2")[0]
    assert "function_calls" not in listed
    row = api.get(f"/api/v1/performance_records/{listed['id']}")
    assert row["request_info"]["query_params"] == {"page": "2"}
    assert row["request_info"]["path"] == "/orders/2"
    assert row["response_info"]["status_code"] == 200
    assert row["version_info"]["app_version"] == "1.1"
    metrics = row["performance_metrics"]
    assert metrics["total_duration"] == pytest.approx(0.15)
    assert metrics["memory_usage"]["peak_memory"] == 64
    assert metrics["database_metrics"]["query_count"] == 1
    assert metrics["database_metrics"]["query_time"] == pytest.approx(0.03)
    assert [call["function_name"] for call in row["function_calls"]][1:] == ["load", "execute"]
    assert 0 <= row["score"] <= 100
    assert row["call_count"] == 3
    assert not row["is_cut"]
    assert "project_key" not in json.dumps(row)
    assert project["ingest_key"] not in json.dumps(row)


def test_records_are_found_by_what_they_are(told):
    api, project = told

    def found(**filters):
        rows = api.all("performance_records", project_id=project["id"], **filters)
        return sorted(row["trace_id"] for row in rows)

    assert found(is_error=True) == found(status_code=500) == ["order-1.0-3", "order-1.1-3"]
    assert len(found(version="1.1")) == len(found(min_duration=0.12)) == 5
    assert len(found(function="shop.orders.load")) == 10
    assert len(found(function="shop.orders.load", function_min_time=0.09)) == 5
    assert found(endpoint="GET /nothing") == []
    assert len(found(method="GET", endpoint="GET /orders/{id}")) == 10
    slowest = api.all("performance_records", project_id=project["id"], order="duration", limit=3)
    assert [row["version_info"]["app_version"] for row in slowest] == ["1.1"] * 5 + ["1.0"] * 5
    answer = api.call("GET", "/api/v1/performance_records", params={"order": "duration"})
    assert_error(answer, 400, "invalid_value", "project_id")


def test_calls_are_the_documents_of_a_tree(told):
    api, _ = told
    calls = api.all("function_calls", trace_id="order-1.0-1")
    assert [call["call_context"]["depth"] for call in calls] == [0, 1, 2]
    assert [call["call_context"]["call_order"] for call in calls] == [0, 1, 2]
    query = calls[2]
    assert query["function_info"]["class_name"] == "Session"
    assert query["performance_tags"] == ["database"]
    assert query["detail"]["system"] == "postgresql"
    assert query["parent_call_id"] == calls[1]["call_id"]
    assert query["execution_info"]["duration"] == pytest.approx(0.03)
    assert calls[1]["execution_info"]["self_time"] == pytest.approx(0.05)
    assert api.all("function_calls", trace_id="order-1.0-1", limit=1) == calls
    assert_error(api.call("GET", "/api/v1/function_calls"), 400, "invalid_value", "trace_id")


def test_late_calls_join_their_trace_and_nothing_counts_twice(deployment, name):
    api = deployment.api
    key, project = sender(api, name("late"))
    first = order(1, "2.0")
    send(key, [first])
    eventually(lambda: api.all("performance_records", project_id=project["id"]))
    more = {"call_id": "9", "parent_call_id": "1", "function": 1, "start_offset": 0.06, "duration": 0.01}
    again = first | {"function_calls": [*first["function_calls"], more | {"kind": "database"}]}
    for _ in range(3):
        send(key, [again])

    def grown():
        rows = api.all("performance_records", project_id=project["id"])
        return rows if rows[0]["call_count"] == 4 else None

    rows = eventually(grown)
    assert len(rows) == 1
    assert rows[0]["performance_metrics"]["database_metrics"]["query_count"] == 2
    sums = api.get("/api/v1/endpoint_stats", project_id=project["id"])["data"]
    assert [(row["requests"], row["calls"], row["database_metrics"]["query_count"]) for row in sums] == [(1, 4, 2)]
    functions = api.get("/api/v1/function_stats", project_id=project["id"], function="db.Session.execute")["data"]
    assert functions[0]["calls"] == 2


def test_statistics_tell_endpoints_functions_and_versions_apart(told):
    api, project = told
    mine = {"project_id": project["id"]}
    (whole,) = api.get("/api/v1/endpoint_stats", **mine)["data"]
    assert (whole["endpoint"], whole["requests"], whole["errors"]) == ("GET /orders/{id}", 10, 2)
    assert whole["error_rate"] == pytest.approx(0.2)
    assert (whole["peak_memory"], whole["avg_memory_delta"]) == (64, 1), "megabytes, as the records have them"
    assert whole["p99"] == pytest.approx(0.15, rel=0.011)
    split = {row["version"]: row for row in api.get("/api/v1/endpoint_stats", by_version=True, **mine)["data"]}
    assert split["1.0"]["p50"] == pytest.approx(0.1, rel=0.011)
    assert split["1.1"]["requests"] == 5
    functions = api.get("/api/v1/function_stats", order="self", **mine)["data"]
    load = next(row for row in functions if row["function"] == "shop.orders.load")
    assert load["calls"] == load["query_count"] == 10
    for path, of in (("endpoint_stats", {}), ("function_stats", {"function": "shop.orders.load"})):
        answer = api.get(f"/api/v1/{path}/trend", project_id=project["id"], **of)
        assert sum(row.get("requests", row.get("calls")) for row in answer["data"]) == 10
    seen = {row["version"]: row["requests"] for row in api.get("/api/v1/versions", **mine)["data"]}
    assert seen == {"1.0": 5, "1.1": 5}
    turned = {"from": datetime.now(UTC).isoformat(), "to": "2020-01-01T00:00:00Z"}
    assert_error(api.call("GET", "/api/v1/endpoint_stats", params=mine | turned), 400, "invalid_value", "from")


def test_a_record_goes_to_flame_graphs_and_to_speedscope(told):
    api, project = told
    row = api.all("performance_records", project_id=project["id"], trace_id="order-1.0-0")[0]
    path = f"/api/v1/performance_records/{row['id']}/export"
    folded = api.call("GET", path, 200, params={"format": "folded"})
    assert folded.headers["content-type"].startswith("text/plain")
    weights = {line.rsplit(" ", 1)[0].split(";")[-1]: int(line.rsplit(" ", 1)[1]) for line in folded.text.splitlines()}
    assert weights["shop.orders.load"] == 50_000
    assert weights["db.Session.execute"] == 30_000
    assert sum(weights.values()) == 100_000, "all its time, and no more"
    file = api.get(path, format="speedscope")
    (profile,) = file["profiles"]
    assert file["$schema"].startswith("https://www.speedscope.app/")
    assert profile["unit"] == "microseconds"
    assert profile["type"] == "sampled"
    assert len(profile["samples"]) == len(profile["weights"])
    assert all(0 <= frame < len(file["shared"]["frames"]) for stack in profile["samples"] for frame in stack)
    whole = api.get(path)
    assert len(whole["function_calls"]) == 3
    assert whole["record"]["id"] == row["id"]


def test_the_command_line_shows_records_and_statistics(told, deployment):
    _, project = told
    loam, mine = deployment.loam, ("--project", project["id"])
    slowest = loam.cli_json("record", "slowest", *mine, "--limit", "2")
    assert [row["version_info"]["app_version"] for row in slowest] == ["1.1", "1.1"]
    listed = loam.cli_json("record", "list", *mine, "--errors")
    assert len(listed) == 2
    one = listed[0]["id"]
    assert loam.cli_json("record", "show", one)["id"] == one
    assert len(loam.cli_json("record", "calls", one)) == 3
    assert "· · db.Session.execute" in loam.cli("record", "calls", one).stdout
    assert "shop.orders.load;db.Session.execute 30000" in loam.cli("record", "export", one).stdout
    assert loam.cli("record", "export", one, "--field", "record.id").stdout == f"{one}\n"
    refused = loam.cli("record", "export", one, "--format", "folded", "--field", "record.id", check=False)
    assert refused.returncode == 1
    assert "--field doesn't apply to this format" in refused.stderr
    (endpoint,) = loam.cli_json("stats", "endpoints", *mine)
    assert endpoint["requests"] == 10
    assert "shop.orders.load" in loam.cli("stats", "functions", *mine).stdout
    assert sum(row["requests"] for row in loam.cli_json("stats", "trend", *mine)) == 10
    assert len(loam.cli_json("stats", "versions", *mine)) == 2
    assert loam.cli("stats", "endpoints", *mine, "--order", "beauty", check=False).returncode == 2


def test_another_tenant_reads_nothing_of_it(told, tenant):
    api, project = told
    row = api.all("performance_records", project_id=project["id"])[0]
    assert tenant.all("performance_records", trace_id=row["trace_id"]) == []
    assert tenant.all("function_calls", trace_id=row["trace_id"]) == []
    for path in ("endpoint_stats", "function_stats", "versions"):
        assert tenant.get(f"/api/v1/{path}", project_id=project["id"])["data"] == []
    assert_error(tenant.call("GET", f"/api/v1/performance_records/{row['id']}"), 404, "not_found")


def test_what_was_acknowledged_is_there_to_read_soon(deployment, name):
    key, project = sender(deployment.api, name("soon"))
    send(key, [order(1, "1.0")])
    began = time.monotonic()
    eventually(lambda: deployment.api.all("performance_records", project_id=project["id"]))
    print(f"listed after {time.monotonic() - began:.3f} s")
