"""OTLP as it is on the wire: both forms, packed or not, and what is answered."""

from __future__ import annotations

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
    for told in spans:
        span = request.resource_spans.add().scope_spans.add().spans.add()
        span.trace_id, span.span_id = bytes.fromhex(told["traceId"]), bytes.fromhex(told["spanId"])
        span.name, span.kind = told["name"], told["kind"]
        span.start_time_unix_nano, span.end_time_unix_nano = int(told["startTimeUnixNano"]), int(told["endTimeUnixNano"])
        for attribute in told["attributes"]:
            made = span.attributes.add(key=attribute["key"])
            value = attribute["value"]
            if "intValue" in value:
                made.value.int_value = int(value["intValue"])
            else:
                made.value.string_value = value["stringValue"]
    return request.SerializeToString()


def told(api: Api, trace: str) -> list[dict]:
    return eventually(lambda: api.all("llm_calls", trace_id=trace))


@pytest.mark.parametrize("path", ["/v1/traces", "/otlp/v1/traces"])
@pytest.mark.parametrize("packed", [False, True])
def test_spans_are_taken_in_either_form_packed_or_not(project: Project, path: str, packed: bool) -> None:
    for kind in (PROTOBUF, "application/json"):
        trace = secrets.token_hex(16)
        span = model_span(trace)
        content = protobuf(span) if kind == PROTOBUF else json.dumps(body(span)).encode()
        headers = {"content-type": kind} | ({"content-encoding": "gzip"} if packed else {})
        answer = project.sender.call("POST", path, 200, content=gzip.compress(content) if packed else content, headers=headers)
        assert answer.headers["content-type"] == kind
        if kind == PROTOBUF:
            assert not ExportTraceServiceResponse.FromString(answer.content).HasField("partial_success")
        else:
            assert answer.json() == {}
        assert [row["prompt_tokens"] for row in told(project.api, trace)] == [3]


def test_what_is_sent_again_counts_once(project: Project) -> None:
    trace = secrets.token_hex(16)
    same = body(model_span(trace))
    for _ in range(3):
        project.sender.call("POST", "/v1/traces", 200, json=same)
    last = secrets.token_hex(16)
    project.sender.call("POST", "/v1/traces", 200, json=body(model_span(last)))
    told(project.api, last)
    assert len(told(project.api, trace)) == 1


def test_a_span_at_fault_is_refused_alone(project: Project) -> None:
    trace = secrets.token_hex(16)
    old = model_span(trace, startTimeUnixNano="5")
    answer = project.sender.call("POST", "/v1/traces", 200, json=body(model_span(trace), old)).json()
    assert answer["partialSuccess"]["rejectedSpans"] == "1", answer
    assert "too long ago" in answer["partialSuccess"]["errorMessage"], answer
    assert len(told(project.api, trace)) == 1
    content = protobuf(old)
    answer = project.sender.call("POST", "/v1/traces", 200, content=content, headers={"content-type": PROTOBUF})
    assert ExportTraceServiceResponse.FromString(answer.content).partial_success.rejected_spans == 1


def test_a_refused_span_is_kept_and_replayed_once_it_is_mended(project: Project) -> None:
    trace, now = secrets.token_hex(16), time.time_ns()
    secret = {"key": "http.request.header.authorization", "value": {"stringValue": "Bearer sk-0123456789abcdef"}}
    served = [{"key": f"http.{key}", "value": {"stringValue": value}} for key, value in [("route", "/pay"), ("method", "POST")]]
    bad = model_span(trace, name="POST", kind=2, startTimeUnixNano="5", attributes=[secret, *served])
    project.sender.call("POST", "/v1/traces", 200, json=body(bad, *[model_span("", spanId="")] * 30))
    kept = project.api.all("rejected_records", project_id=project.id, source="otlp")
    assert {(row["code"], row["param"]) for row in kept} == {("too_old", "start_time_unix_nano"), ("invalid_id", "trace_id")}
    assert len(kept) == 20, "those that are wrong in one way are not kept all"

    (row,) = project.api.all("rejected_records", project_id=project.id, code="too_old")
    path = f"/api/v1/rejected_records/{row['id']}"
    payload = project.api.get(path)["payload"]
    assert (payload["trace_id"], payload["attributes"]["http.route"]) == (trace, "/pay")
    assert "sk-0123456789abcdef" not in str(payload)
    assert project.api.call("POST", f"{path}/replay").json()["error"]["code"] == "too_old"
    for wrong, param in [({"colour": "red"}, "colour"), ({"span_id": "xyz"}, "span_id"), ({"name": 7}, "name")]:
        told = project.api.call("PATCH", path, 200, json={"payload": payload | wrong}).json()
        assert (told["state"], told["param"]) == ("rejected", param), told
    times = {"start_time_unix_nano": now - 7_000_000, "end_time_unix_nano": now}
    mended = project.api.call("PATCH", path, 200, json={"payload": payload | times}).json()
    assert mended["state"] == "mended", mended
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
        # a gigabyte in a megabyte
        ({"content-type": PROTOBUF, "content-encoding": "gzip"}, gzip.compress(bytes(64 << 20)), 413),
        # spans of two bytes
        ({"content-type": "application/json"}, b'{"resourceSpans":[' + b"{}," * 4_000_000 + b"{}]}", 413),
    ],
)
def test_what_is_no_otlp_or_too_much_is_refused_in_its_own_words(
    project: Project, headers: dict, content: bytes, status: int
) -> None:
    answer = project.sender.call("POST", "/v1/traces", status, content=content, headers=headers)
    if headers["content-type"] == PROTOBUF:
        assert answer.headers["content-type"] == PROTOBUF
        # google.rpc.Status: a code, and a message
        assert answer.content[0] == 0x08
        assert answer.content[2] == 0x12
    else:
        assert answer.json()["code"] == 3, answer.text
        assert answer.json()["message"], answer.text


def test_who_may_not_send_is_told_in_its_own_words(project: Project) -> None:
    nobody = project.api.with_key(None).call("POST", "/v1/traces", 401, json=body())
    assert nobody.json()["code"] == 16, nobody.text
    reader = project.api.create("api_keys", {"name": secrets.token_hex(4), "scopes": ["projects:read"]})["key"]
    assert project.api.with_key(reader).call("POST", "/v1/metrics", 403, json={}).json()["code"] == 7
    unbound = project.api.call("POST", "/otlp/v1/traces", 400, json=body()).json()
    assert "project" in unbound["message"], unbound
