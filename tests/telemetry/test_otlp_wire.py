"""OTLP on the wire: both encodings, with and without compression, and the responses."""

from __future__ import annotations

import base64
import gzip
import json
import secrets
import time

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

from support.api import Api, eventually
from telemetry.conftest import Project

PROTOBUF = "application/x-protobuf"


def model_span(trace: str, **fields: object) -> dict:
    now = time.time_ns()
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o"}
    return {
        "traceId": trace,
        "spanId": secrets.token_hex(8),
        "name": "chat gpt-4o",
        "kind": 3,
        "startTimeUnixNano": str(now - 1_000_000),
        "endTimeUnixNano": str(now),
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()]
        + [{"key": "gen_ai.usage.input_tokens", "value": {"intValue": "3"}}],
    } | fields


def body(*spans: dict) -> dict:
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {"name": "test"}, "spans": list(spans)}]}]}


def protobuf(*spans: dict) -> bytes:
    request = ExportTraceServiceRequest()
    for source in spans:
        span = request.resource_spans.add().scope_spans.add().spans.add()
        span.trace_id, span.span_id = bytes.fromhex(source["traceId"]), bytes.fromhex(source["spanId"])
        span.name, span.kind = source["name"], source["kind"]
        span.start_time_unix_nano, span.end_time_unix_nano = int(source["startTimeUnixNano"]), int(source["endTimeUnixNano"])
        for attribute in source["attributes"]:
            made = span.attributes.add(key=attribute["key"])
            value = attribute["value"]
            if "intValue" in value:
                made.value.int_value = int(value["intValue"])
            else:
                made.value.string_value = value["stringValue"]
    return request.SerializeToString()


def model_calls(api: Api, trace: str) -> list[dict]:
    return eventually(lambda: api.all("llm_calls", trace_id=trace))


@pytest.mark.parametrize("path", ["/v1/traces", "/otlp/v1/traces"])
@pytest.mark.parametrize("compressed", [False, True])
def test_spans_are_accepted_in_both_encodings_with_and_without_gzip(project: Project, path: str, compressed: bool) -> None:
    for kind in (PROTOBUF, "application/json"):
        trace = secrets.token_hex(16)
        span = model_span(trace)
        content = protobuf(span) if kind == PROTOBUF else json.dumps(body(span)).encode()
        headers = {"content-type": kind} | ({"content-encoding": "gzip"} if compressed else {})
        answer = project.sender.call(
            "POST", path, 200, content=gzip.compress(content) if compressed else content, headers=headers
        )
        assert answer.headers["content-type"] == kind
        if kind == PROTOBUF:
            assert not ExportTraceServiceResponse.FromString(answer.content).HasField("partial_success")
        else:
            assert answer.json() == {}
        assert [row["prompt_tokens"] for row in model_calls(project.api, trace)] == [3]


def test_duplicates_are_counted_once(project: Project) -> None:
    trace = secrets.token_hex(16)
    same = body(model_span(trace))
    for _ in range(3):
        project.sender.call("POST", "/v1/traces", 200, json=same)
    last = secrets.token_hex(16)
    project.sender.call("POST", "/v1/traces", 200, json=body(model_span(last)))
    model_calls(project.api, last)
    assert len(model_calls(project.api, trace)) == 1


def test_invalid_spans_are_rejected_individually(project: Project) -> None:
    trace = secrets.token_hex(16)
    old = model_span(trace, startTimeUnixNano="5")
    answer = project.sender.call("POST", "/v1/traces", 200, json=body(model_span(trace), old)).json()
    assert answer["partialSuccess"]["rejectedSpans"] == "1", answer
    assert "too long ago" in answer["partialSuccess"]["errorMessage"], answer
    assert len(model_calls(project.api, trace)) == 1
    content = protobuf(old)
    answer = project.sender.call("POST", "/v1/traces", 200, content=content, headers={"content-type": PROTOBUF})
    assert ExportTraceServiceResponse.FromString(answer.content).partial_success.rejected_spans == 1


@pytest.mark.parametrize("encoding", ["json", "protobuf"])
def test_a_value_that_cannot_be_decoded_rejects_only_its_span(project: Project, encoding: str) -> None:
    trace = secrets.token_hex(16)
    good, bad = model_span(trace), model_span(trace, name="bad", parentSpanId=None, attributes=[])
    good |= {"parentSpanId": None, "events": None, "status": {"code": None}, "flags": None}
    bad["attributes"] = [{"key": "app.note", "value": {"stringValue": "#!"}}]
    if encoding == "json":
        content, headers = (
            json.dumps(body(good, bad)).replace('"#!"', r'"ok\ud83d"').encode(),
            {"content-type": "application/json"},
        )
        rejected = project.sender.call("POST", "/v1/traces", 200, content=content, headers=headers).json()["partialSuccess"]
        assert rejected["rejectedSpans"] == "1", rejected
        assert "attributes[0].value.stringValue" in rejected["errorMessage"], rejected
    else:
        content, headers = protobuf(good, bad).replace(b"#!", b"\xff!"), {"content-type": PROTOBUF}
        answer = project.sender.call("POST", "/v1/traces", 200, content=content, headers=headers)
        rejected = ExportTraceServiceResponse.FromString(answer.content).partial_success
        assert rejected.rejected_spans == 1, rejected
    assert len(model_calls(project.api, trace)) == 1
    (row,) = project.api.all("rejected_records", project_id=project.id, code="invalid_value")
    payload = project.api.get(f"/api/v1/rejected_records/{row['id']}")["payload"]
    assert (payload["name"], payload["attributes"]) == ("bad", {})


def test_a_value_that_cannot_be_decoded_rejects_only_its_data_point(project: Project) -> None:
    points = [{"timeUnixNano": str(time.time_ns()), "asInt": value} for value in ("7", "9223372036854775808")]
    metric = {"name": "jobs", "unit": None, "gauge": {"dataPoints": points}}
    content = {"resourceMetrics": [{"resource": None, "scopeMetrics": [{"scope": None, "metrics": [metric]}]}]}
    answer = project.sender.call("POST", "/v1/metrics", 200, json=content).json()
    assert answer["partialSuccess"]["rejectedDataPoints"] == "1", answer
    stored = eventually(lambda: project.api.all("performance_metrics", project_id=project.id, metric_name="jobs"))
    assert [row["metric_value"] for row in stored] == [7]


def test_langfuse_sends_to_its_own_path_with_its_key_pair(project: Project) -> None:
    trace = secrets.token_hex(16)
    headers = {"authorization": "Basic " + base64.b64encode(f"pk-lf-shop:{project.sender.key}".encode()).decode()}
    path = "/api/public/otel/v1/traces"
    client = project.api.with_key(None)
    client.call("POST", path, 200, content=protobuf(model_span(trace)), headers=headers | {"content-type": PROTOBUF})
    assert len(model_calls(project.api, trace)) == 1
    wrong = {"authorization": "Basic " + base64.b64encode(b"pk-lf-shop:sk-lf-wrong").decode()}
    assert client.call("POST", path, 401, json=body(), headers=wrong).json()["code"] == 16
    assert client.call("POST", "/v1/traces", 401, json=body(), headers=headers).json()["code"] == 16


def test_a_rejected_span_is_stored_and_replayed_after_correction(project: Project) -> None:
    trace, now = secrets.token_hex(16), time.time_ns()
    secret = {"key": "http.request.header.authorization", "value": {"stringValue": "Bearer sk-0123456789abcdef"}}
    served = [{"key": f"http.{key}", "value": {"stringValue": value}} for key, value in [("route", "/pay"), ("method", "POST")]]
    bad = model_span(trace, name="POST", kind=2, startTimeUnixNano="5", attributes=[secret, *served])
    project.sender.call("POST", "/v1/traces", 200, json=body(bad, *[model_span("", spanId="")] * 30))
    stored = project.api.all("rejected_records", project_id=project.id, source="otlp")
    assert {(row["code"], row["param"]) for row in stored} == {("too_old", "start_time_unix_nano"), ("invalid_id", "trace_id")}
    assert len(stored) == 20, "the number of stored spans per request is limited"

    (row,) = project.api.all("rejected_records", project_id=project.id, code="too_old")
    path = f"/api/v1/rejected_records/{row['id']}"
    payload = project.api.get(path)["payload"]
    assert (payload["trace_id"], payload["attributes"]["http.route"]) == (trace, "/pay")
    assert "sk-0123456789abcdef" not in str(payload)
    assert project.api.call("POST", f"{path}/replay").json()["error"]["code"] == "too_old"
    for wrong, param in [({"colour": "red"}, "colour"), ({"span_id": "xyz"}, "span_id"), ({"name": 7}, "name")]:
        updated = project.api.call("PATCH", path, 200, json={"payload": payload | wrong}).json()
        assert (updated["state"], updated["param"]) == ("rejected", param), updated
    times = {"start_time_unix_nano": now - 7_000_000, "end_time_unix_nano": now}
    corrected = project.api.call("PATCH", path, 200, json={"payload": payload | times}).json()
    assert corrected["state"] == "mended", corrected
    assert project.api.call("POST", f"{path}/replay", 200).json()["state"] == "replayed"
    (record,) = eventually(lambda: project.api.all("performance_records", trace_id=trace))
    assert (record["endpoint"], record["performance_metrics"]["total_duration"]) == ("POST /pay", pytest.approx(0.007))
    assert project.api.call("POST", f"{path}/replay").json()["error"]["code"] == "already_replayed"


@pytest.mark.parametrize(
    ("headers", "content", "status"),
    [
        ({"content-type": "text/plain"}, b"x", 415),
        ({"content-type": "application/json"}, b"{", 400),
        ({"content-type": "application/json"}, b"[]", 400),
        ({"content-type": "application/json"}, b'{"resourceSpans": 7}', 400),
        ({"content-type": "application/json", "content-encoding": "br"}, b"{}", 415),
        ({"content-type": "application/json", "content-encoding": "gzip"}, b"no gzip", 400),
        ({"content-type": PROTOBUF}, b"\xff\xff\xff", 400),
        # 65 MiB that compress to 65 KiB
        ({"content-type": PROTOBUF, "content-encoding": "gzip"}, gzip.compress(bytes(65 << 20)), 413),
        # resource spans of two bytes each
        ({"content-type": "application/json"}, b'{"resourceSpans":[' + b"{}," * 4_000_000 + b"{}]}", 413),
    ],
)
def test_invalid_or_too_large_requests_are_rejected_with_google_rpc_status(
    project: Project, headers: dict, content: bytes, status: int
) -> None:
    answer = project.sender.call("POST", "/v1/traces", status, content=content, headers=headers)
    if headers["content-type"] == PROTOBUF:
        assert answer.headers["content-type"] == PROTOBUF
        # google.rpc.Status: the tags of code and message
        assert answer.content[0] == 0x08
        assert answer.content[2] == 0x12
    else:
        assert answer.json()["code"] == 3, answer.text
        assert answer.json()["message"], answer.text


def test_missing_permissions_are_reported_as_google_rpc_status(project: Project) -> None:
    nobody = project.api.with_key(None).call("POST", "/v1/traces", 401, json=body())
    assert nobody.json()["code"] == 16, nobody.text
    reader = project.api.create("api_keys", {"name": secrets.token_hex(4), "scopes": ["projects:read"]})["key"]
    assert project.api.with_key(reader).call("POST", "/v1/metrics", 403, json={}).json()["code"] == 7
    unbound = project.api.call("POST", "/otlp/v1/traces", 400, json=body()).json()
    assert "project" in unbound["message"], unbound
