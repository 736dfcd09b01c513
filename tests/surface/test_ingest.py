"""Ingesting telemetry: formats, independent records, limits and duplicates."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from support.api import Api, assert_error, eventually
from support.telemetry import PACKED, PATH, msgpack, post, record, send, sender, written


@pytest.fixture
def project(tenant, name) -> tuple[Api, dict]:
    """A project of a new tenant: a client with its key, and the project."""
    return sender(tenant, name("watched"))


def set_limits(api: Api, **limits: object) -> None:
    answer = api.call("PUT", "/api/v1/system_config/insight.ingest", json={"config_value": limits})
    assert answer.status_code in (200, 201), answer.text


@pytest.mark.parametrize("encoding", [None, "gzip", "zstd"])
@pytest.mark.parametrize("kind", ["application/json", "application/msgpack"])
def test_a_batch_is_taken_however_it_is_written(project, kind, encoding):
    api, _ = project
    body, headers = written({"service": "shop", "records": [record(calls=3), record(calls=50)]}, kind, encoding)
    assert post(api, body, **headers).json() == {"accepted": 2, "rejected": []}


def test_documents_with_nested_calls_are_taken_as_they_stand(tenant, project):
    api, _ = project
    trace, now = uuid.uuid4().hex, datetime.now(UTC)
    listed = {"function_name": "handle", "file_path": "/app/a.py", "line_number": 3, "depth": 0, "call_order": 0}
    document = {
        "_id": "65a1f0c2e4b0a1b2c3d4e5f6",
        "project_key": "shop-api",
        "trace_id": trace,
        "request_info": {
            "method": "GET",
            "path": "/api/users/123",
            "query_params": {},
            "headers": {},
            "user_agent": "",
            "remote_ip": "",
        },
        "response_info": {"status_code": 200, "response_size": 10, "content_type": "text/html"},
        "performance_metrics": {
            "total_duration": 0.5,
            "cpu_time": 0.1,
            "memory_usage": {"peak_memory": 64, "memory_delta": 1},
            "database_metrics": {"query_count": 1, "query_time": 0.2, "slow_queries": 1},
            "cache_metrics": {"cache_hits": 0, "cache_misses": 0, "cache_time": 0.0},
        },
        "function_calls": [
            {"call_id": "a", "duration": 0.4, "parent_call_id": None, **listed},
        ],
        "version_info": {"app_version": "1.0", "git_commit": "abc", "deploy_time": None},
        "environment": {"python_version": "3.12", "framework_version": "5", "server_info": "x"},
        "timestamp": (now - timedelta(minutes=5)).isoformat(),
        "created_at": now.isoformat(),
    }
    start = now - timedelta(minutes=5) + timedelta(seconds=0.1)
    call = {
        "_id": "65a1f0c2e4b0a1b2c3d4e5f7",
        "trace_id": trace,
        "call_id": "b",
        "parent_call_id": "a",
        "function_info": {"name": "load", "module": "app.users", "file_path": "/app/b.py", "line_number": 7, "class_name": None},
        "execution_info": {
            "start_time": start.isoformat(),
            "end_time": (start + timedelta(seconds=0.2)).isoformat(),
            "duration": 0.2,
            "cpu_time": 0.01,
            "memory_delta": 10,
        },
        "call_context": {"depth": 1, "call_order": 1, "is_recursive": False, "exception_info": None},
        "performance_tags": ["slow", "database", "checkout"],
        "created_at": now.isoformat(),
    }
    assert send(api, [document, call], 202).json()["accepted"] == 2
    (row,) = eventually(lambda: tenant.all("performance_records", trace_id=trace))
    assert row["performance_metrics"]["total_duration"] == pytest.approx(0.5)
    received = datetime.fromisoformat(row["created_at"])
    assert received >= now - timedelta(seconds=2), row
    assert datetime.fromisoformat(row["timestamp"]) < now - timedelta(minutes=4)
    calls = eventually(lambda: len(found := tenant.all("function_calls", record_id=row["id"])) == 3 and found)
    assert [(one["call_id"], one["function_info"]["name"]) for one in calls[1:]] == [("a", "handle"), ("b", "load")]
    assert [one["call_id"] for one in tenant.all("function_calls", record_id=row["id"], tag="checkout")] == ["b"]
    assert calls[2]["performance_tags"] == ["slow", "database", "checkout"]
    tenant.call("PUT", "/api/v1/system_config/insight.rules", json={"config_value": {"slow_call_ms": 201}})
    slow = eventually(
        lambda: (
            (found := tenant.all("function_calls", record_id=row["id"])) and "slow" not in found[1]["performance_tags"] and found
        )
    )
    assert slow, "the threshold is configurable"


def test_a_bad_record_is_refused_alone_and_named(tenant, project):
    api, made = project
    good, bad = record(), record(id="bad", timestamp=time.time() + 7200)
    answer = send(api, [good, bad, "nonsense", record(colour="red")], 207).json()
    assert answer["accepted"] == 1
    refused = [(each["index"], each["id"], each["code"], each["param"]) for each in answer["rejected"]]
    trace = answer["rejected"][2]["id"]
    assert refused == [
        (1, "bad", "in_the_future", "timestamp"),
        (2, None, "invalid_record", None),
        (3, trace, "invalid_record", "colour"),
    ]
    kept = tenant.all("rejected_records", project_id=made["id"])
    assert {row["id"] for row in kept} == {each["rejected_record_id"] for each in answer["rejected"]}


def test_a_batch_of_which_nothing_can_be_taken_is_an_error_that_names_the_first(project):
    api, _ = project
    answer = send(api, [record(response_info={"status_code": 7}), record(trace_id="")], 400)
    assert_error(answer, 400, "invalid_value", "records[0].response_info.status_code")
    assert send(api, [], 202).json() == {"accepted": 0, "rejected": []}


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"records": 1}', b'{"records": [], "x": 1}', b'{"records": [{]}', b"\xff", b"null"]
)
def test_what_is_no_batch_is_refused_whole_and_nothing_of_it_kept(tenant, project, body):
    api, made = project
    for kind in ("application/json", "application/msgpack"):
        assert_error(post(api, body, None, content_type=kind), 400, "invalid_batch")
    assert tenant.all("rejected_records", project_id=made["id"]) == []


def test_what_is_larger_than_is_taken_is_refused_by_name(project):
    key, _ = project
    zeros = b" " * (70 << 20)
    for encoding in ("gzip", "zstd"):
        assert_error(post(key, PACKED[encoding](zeros), None, content_encoding=encoding), 413, "body_too_large")
    assert_error(post(key, zeros[: 17 << 20], None), 413, "body_too_large")
    assert_error(send(key, [record()] * 1001, None), 413, "too_many_records")
    assert_error(post(key, b"plain", None, content_encoding="gzip"), 400, "invalid_encoding")
    assert_error(post(key, b"{}", None, content_encoding="br"), 415, "unsupported_encoding")
    assert_error(post(key, b"a,b", None, content_type="text/csv"), 415, "unsupported_media_type")
    many = record(calls=20_001)
    assert_error(send(key, [many], None), 400, "too_many_calls", "records[0].function_calls")


def test_a_project_that_sends_too_much_in_a_minute_is_told_when_to_go_on(project, tenant):
    key, _ = project
    set_limits(tenant, requests_per_minute=1)

    def refused():
        answers = [send(key, [record()], None) for _ in range(3)]
        return next((answer for answer in answers if answer.status_code == 429), None)

    answer = eventually(refused)
    assert_error(answer, 429, "telemetry_limit")
    assert 1 <= int(answer.headers["retry-after"]) <= 60


def test_all_formats_share_their_limits(project, tenant):
    key, _ = project
    set_limits(tenant, max_age_days=20, bytes_per_minute=100_000)
    old = time.time() - 21 * 86_400
    eventually(lambda: (answer := send(key, [record(timestamp=old)], None)).status_code == 400 and answer)
    ids = {"traceId": uuid.uuid4().hex, "spanId": "0" * 15 + "1", "startTimeUnixNano": str(int(old * 1e9))}
    spans = {"resourceSpans": [{"scopeSpans": [{"spans": [ids]}]}]}
    rejected = key.call("POST", "/v1/traces", 200, json=spans).json()["partialSuccess"]
    assert "too long ago" in rejected["errorMessage"], rejected
    point = {"metric_name": "x", "metric_value": 1, "timestamp": datetime.fromtimestamp(old, UTC).isoformat()}
    rejected = key.call("POST", "/api/v1/performance_metrics", 200, json={"metrics": [point]}).json()["rejected"]
    assert "too long ago" in rejected[0]["message"], rejected
    large = {"metrics": [{"metric_name": "x" * 60_000, "metric_value": 1}]}

    def refused():
        # what is compressed counts as it is decompressed, in each encoding
        for encoding, path, body in [
            ("zstd", "/v1/traces", {"resourceSpans": [], "padding": "x" * 60_000}),
            ("gzip", "/api/v1/performance_metrics", large),
        ]:
            content, headers = written(body, "application/json", encoding)
            assert len(content) < 1_000
            headers = {name.replace("_", "-"): value for name, value in headers.items()}
            key.call("POST", path, content=content, headers=headers)
        answer = send(key, [record()], None)
        return answer if answer.status_code == 429 else None

    assert_error(eventually(refused), 429, "telemetry_limit")


def test_a_key_of_a_project_sends_and_does_nothing_else(project, tenant):
    key, made = project
    assert made["ingest_key"].startswith("loam_pk_")
    send(key, [record()])
    for path in ("projects", "rejected_records", "api_keys", "users", f"projects/{made['id']}"):
        assert_error(key.call("GET", f"/api/v1/{path}"), 403, "missing_permission")
    assert_error(key.chat("any/model", "hello", expect=None), 403, "missing_permission")
    assert_error(send(tenant.with_key(made["ingest_key"] + "x"), [record()], None), 401, "invalid_api_key")


def test_other_keys_send_for_the_project_that_they_name(tenant, name):
    _, made = sender(tenant, name("named"))
    _, other = sender(tenant, name("other"))
    free = tenant.create("api_keys", {"name": name("free"), "scopes": ["telemetry:send"]})["key"]
    bound = {"name": name("bound"), "scopes": ["telemetry:send"], "project_id": made["id"]}
    free, bound = tenant.with_key(free), tenant.with_key(tenant.create("api_keys", bound)["key"])
    body = {"records": [record()]}
    send(bound, [record()])
    free.call("POST", PATH, 202, json=body, params={"project": made["id"]})
    free.call("POST", PATH, 202, json=body, headers={"x-loam-project": made["id"]})
    assert_error(send(free, [record()], None), 400, "project_required")
    assert_error(free.call("POST", PATH, json=body, params={"project": str(uuid.uuid4())}), 404)
    assert_error(free.call("POST", PATH, json=body, headers={"x-loam-project": "shop"}), 400, param="x-loam-project")
    assert_error(bound.call("POST", PATH, json=body, params={"project": other["id"]}), 403, "other_project")


def test_another_tenant_can_not_send_for_a_project(deployment, tenant, name):
    _, made = sender(tenant, name("mine"))
    stranger = deployment.tenant(name("stranger"))
    answer = stranger.call("POST", PATH, json={"records": [record()]}, params={"project": made["id"]})
    assert_error(answer, 404, "not_found")


def test_a_project_that_is_not_watched_takes_nothing_and_says_why(tenant, project):
    key, made = project
    path = f"/api/v1/projects/{made['id']}"
    send(key, [record()])
    for change, code in [
        ({"monitoring_status": "inactive"}, "project_inactive"),
        ({"monitoring_status": "archived"}, "project_archived"),
        ({"monitoring_status": "active", "config": {"enabled": False}}, "monitoring_disabled"),
    ]:
        tenant.call("PATCH", path, 200, json=change)
        assert_error(send(key, [record()], None), 403, code)
        assert key.get("/api/v1/ingest/config")["enabled"] is False
    tenant.call("PATCH", path, 200, json={"config": {"enabled": True}})
    send(key, [record()])


def test_a_suspended_tenant_sends_nothing(deployment, api, name):
    slug = name("suspended")
    made = api.create("tenants", {"slug": slug, "name": slug})
    key, _ = sender(api.with_key(made["api_key"]["key"]), name("watched"))
    send(key, [record()])
    api.call("PATCH", f"/api/v1/tenants/{made['id']}", 200, json={"status": "suspended"})
    eventually(lambda: assert_error(send(key, [record()], None), 403, "tenant_suspended"))


def test_the_old_key_is_taken_for_its_time_of_grace_and_no_longer(tenant, project):
    key, made = project
    path = f"/api/v1/projects/{made['id']}/rotate_key"
    first = tenant.call("POST", path, 200, json={}).json()
    assert first["ingest_key"] != made["ingest_key"]
    assert first["old_key_valid_until"] > first["updated_at"]
    send(key, [record()])
    send(tenant.with_key(first["ingest_key"]), [record()])
    second = tenant.call("POST", path, 200, json={"grace_seconds": 0}).json()
    old = tenant.with_key(first["ingest_key"])
    eventually(lambda: assert_error(send(old, [record()], None), 401, "retired_project_key"))
    send(tenant.with_key(second["ingest_key"]), [record()])
    shown = tenant.get(f"/api/v1/projects/{made['id']}")
    assert shown["project_key"]["last4"] == second["ingest_key"][-4:]
    assert second["ingest_key"] not in str(shown)
    assert_error(tenant.call("POST", path, json={"grace_seconds": 10**7}), 400, param="grace_seconds")


def test_the_config_is_served_live_and_once(tenant, project):
    key, made = project
    answer = key.call("GET", "/api/v1/ingest/config", 200)
    config, tag = answer.json(), answer.headers["etag"]
    assert config["enabled"] is True
    assert config["sampling_rate"] == 1.0
    assert config["alert_threshold"] == {"response_time": 1.0, "error_rate": 0.05, "memory_usage": 512}
    same = key.call("GET", "/api/v1/ingest/config", 304, headers={"if-none-match": tag})
    assert same.content == b""
    tenant.call("PATCH", f"/api/v1/projects/{made['id']}", 200, json={"config": {"sampling_rate": 0.25}})

    def changed():
        again = key.call("GET", "/api/v1/ingest/config", headers={"if-none-match": tag})
        return again.status_code == 200 and again.json()["sampling_rate"] == 0.25

    assert eventually(changed)


def test_it_is_known_when_a_project_last_sent_something(tenant, project):
    key, made = project
    path = f"/api/v1/projects/{made['id']}"
    before = tenant.call("GET", path, 200)
    assert before.json()["last_activity"] is None
    send(key, [record()])
    eventually(lambda: tenant.get(path)["last_activity"])
    after = tenant.call("GET", path, 200)
    assert after.headers["etag"] == before.headers["etag"], "that it sent something is no change of a project"


def test_a_key_of_the_whole_tenant_names_the_project_of_metric_values(tenant, project):
    _, made = project
    key = tenant.with_key(tenant.create("api_keys", {"name": "all", "scopes": ["telemetry:send"]})["key"])
    names = ["queue.length", "queue.age", "heap"]
    body = {"metrics": [{"metric_name": name, "metric_value": 1} for name in names]}
    path = "/api/v1/performance_metrics"
    assert_error(key.call("POST", path, json=body), 400, "project_required")
    assert key.call("POST", path, 200, json=body, params={"project": made["id"]}).json()["accepted"] == 3

    def listed(**params):
        rows = tenant.get("/api/v1/metric_names", project_id=made["id"], **params)["data"]
        return [(row["metric_name"], row["kind"]) for row in rows]

    wanted = [(name, "gauge") for name in sorted(names)]
    eventually(lambda: listed() == wanted)
    assert listed(after="heap") == wanted[1:]


def test_a_refused_record_is_mended_and_replayed(tenant, project):
    key, made = project
    headers = {"cookie": "sugar=1", "host": "h"}
    bad = record(trace="mend-me", colour="red", request_info={"method": "GET", "path": "/a?token=1", "headers": headers})
    (refused,) = send(key, [bad, record()], 207).json()["rejected"]
    path = f"/api/v1/rejected_records/{refused['rejected_record_id']}"
    kept = tenant.call("GET", path, 200)
    row = kept.json()
    assert (row["state"], row["param"], row["project_id"]) == ("rejected", "colour", made["id"])
    assert row["payload"]["request_info"]["headers"] == {"cookie": "[redacted]", "host": "h"}
    assert row["payload"]["request_info"]["path"] == "/a"
    assert_error(tenant.call("POST", f"{path}/replay"), 400, "invalid_record", "payload.colour")
    still = {name: value for name, value in row["payload"].items() if name != "colour"} | {"trace_id": ""}
    row = tenant.call("PATCH", path, 200, json={"payload": still}).json()
    assert (row["state"], row["param"]) == ("rejected", "trace_id")
    stale = {"if-match": kept.headers["etag"]}
    assert_error(tenant.call("PATCH", path, json={"payload": still}, headers=stale), 412)
    mended = still | {"trace_id": "mend-me"}
    assert tenant.call("PATCH", path, 200, json={"payload": mended}).json()["state"] == "mended"
    assert tenant.call("POST", f"{path}/replay", 200).json()["state"] == "replayed"
    assert_error(tenant.call("POST", f"{path}/replay"), 409, "already_replayed")
    assert [each["id"] for each in tenant.all("rejected_records", state="replayed")] == [row["id"]]
    tenant.call("DELETE", path, 204)
    assert_error(tenant.call("GET", path), 404)


def test_only_the_newest_refused_records_of_a_project_are_kept(tenant, project):
    key, made = project
    set_limits(tenant, max_rejected=5)

    def bounded():
        answer = send(key, [record(colour="red") for _ in range(9)] + [record()], 207).json()
        kept = [row["id"] for row in tenant.all("rejected_records", project_id=made["id"])]
        newest = [each["rejected_record_id"] for each in answer["rejected"]][-5:]
        return kept == newest[::-1]

    assert eventually(bounded)


def test_a_claim_of_endless_length_costs_nothing(project):
    key, _ = project
    for body in (b"\xdf\xff\xff\xff\xff", b"\x81\xa7records\xdd\xff\xff\xff\xff", b"\x91" * 100_000):
        assert_error(post(key, body, None, content_type="application/msgpack"), 400, "invalid_batch")
    deep = msgpack({"records": []})[:-5] + b"\xdd\x00\x00\x00\x01" + b"\x91" * 5_000 + b"\xc0"
    assert_error(post(key, deep, None, content_type="application/msgpack"), 400, "invalid_record")
