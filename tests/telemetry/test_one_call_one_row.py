"""A model call is one row of the ledger, however many spans report it, and in however many exports they arrive."""

from __future__ import annotations

import itertools
import json
import secrets
import time

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from services import LlMock
from support.api import Api, eventually
from support.deployment import Deployment, add_usual_providers
from telemetry.conftest import Project

HELLO = [{"role": "user", "content": "hello"}]


def span(trace: str, number: int, parent: int | None, began: int | None = None, **attributes: object) -> dict:
    """A span of a model call with 9 and 4 tokens; `__` in a name of an attribute is a dot."""
    # an inner span is within the outer one
    began = (began or time.time_ns() - 100_000_000) + number * 1_000_000
    attributes = {
        "gen_ai__operation__name": "chat",
        "gen_ai__system": "openai",
        "gen_ai__request__model": "gpt-4o",
        "gen_ai__usage__input_tokens": 9,
        "gen_ai__usage__output_tokens": 4,
    } | attributes
    value = lambda value: {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}  # noqa: E731
    return {
        "traceId": trace,
        "spanId": f"{number:016x}",
        "parentSpanId": "" if parent is None else f"{parent:016x}",
        "name": "chat",
        "kind": 3,
        "startTimeUnixNano": str(began),
        "endTimeUnixNano": str(began + 100_000_000 - 2 * number * 1_000_000),
        "attributes": [{"key": key.replace("__", "."), "value": value(v)} for key, v in attributes.items()],
    }


def export(project: Project, scope: str, *spans: dict, binary: bool) -> None:
    body = {"resourceSpans": [{"scopeSpans": [{"scope": {"name": scope}, "spans": list(spans)}]}]}
    if not binary:
        project.sender.call("POST", "/v1/traces", 200, json=body)
        return
    # ids are hexadecimal in OTLP's JSON, and base64 in protobuf's own
    request = ExportTraceServiceRequest()
    hexless = json.loads(json.dumps(body))
    for each in hexless["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        for field in ("traceId", "spanId", "parentSpanId"):
            each.pop(field)
    json_format.ParseDict(hexless, request)
    for made, source in zip(request.resource_spans[0].scope_spans[0].spans, spans, strict=True):
        made.trace_id, made.span_id = bytes.fromhex(source["traceId"]), bytes.fromhex(source["spanId"])
        made.parent_span_id = bytes.fromhex(source["parentSpanId"])
    headers = {"content-type": "application/x-protobuf"}
    project.sender.call("POST", "/v1/traces", 200, content=request.SerializeToString(), headers=headers)


def drained(project: Project, trace: str, names: list[str]) -> list[dict]:
    """The calls of a trace, once everything that was sent is in the database."""
    marker = secrets.token_hex(16)
    export(project, "marker", span(marker, 1, None), binary=False)
    eventually(lambda: project.api.all("llm_calls", trace_id=marker), 20)
    rows = project.api.all("llm_calls", trace_id=trace)
    assert sorted(row["span_id"] for row in rows) == names, rows
    return rows


@pytest.mark.parametrize("binary", [False, True], ids=["json", "protobuf"])
def test_of_nested_spans_in_several_exports_the_inner_one_counts(project: Project, binary: bool) -> None:
    nested = [(1, None), (2, 1), (3, 2)]
    for order in itertools.permutations(nested):
        trace = secrets.token_hex(16)
        began = time.time_ns() - 100_000_000
        # an exporter that heard no answer sends it again
        for number, parent in order + order:
            export(project, f"library-{number}", span(trace, number, parent, began), binary=binary)
        drained(project, trace, [f"{3:016x}"])
    (sums,) = project.api.get("/api/v1/usage", project_id=project.id, group_by="source")["data"]
    markers = 6
    assert (sums["source"], sums["calls"], sums["total_tokens"]) == ("otlp", 6 + markers, 13 * (6 + markers))


def test_sibling_spans_of_two_instrumentations_are_one_call(project: Project) -> None:
    trace = secrets.token_hex(16)
    # they overlap, however slowly they are exported, and none is within another
    began = [time.time_ns() - 200_000_000 + number * 10_000_000 for number in range(4)]
    model = {"gen_ai__response__model": "gpt-4o-2024-08-06"}
    export(project, "one", span(trace, 1, 9, began[1]), binary=False)
    export(project, "two", span(trace, 2, 9, began[2], **model), binary=True)
    export(project, "one", span(trace, 3, 9, began[3]), binary=False)
    drained(project, trace, [f"{1:016x}", f"{3:016x}"])
    by_id = secrets.token_hex(16)
    for number, scope in enumerate(["one", "two"], start=1):
        told = span(by_id, number, 9, began[number], gen_ai__response__id="r", gen_ai__usage__output_tokens=number)
        export(project, scope, told, binary=False)
    drained(project, by_id, [f"{1:016x}"])


@pytest.fixture(scope="module")
def answered(deployment: Deployment, mock: LlMock) -> Api:
    add_usual_providers(deployment, mock)
    return deployment.api


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/anthropic/v1/messages"])
def test_a_span_joins_the_gateways_call_by_its_response(answered: Api, project: Project, path: str, stream: bool) -> None:
    key = answered.create("api_keys", {"name": secrets.token_hex(4), "scopes": ["gateway:call"], "project_id": project.id})
    body = {"model": "mock/gpt-4o", "messages": HELLO, "max_tokens": 50, "stream": stream}
    began = time.time_ns()
    reply = answered.with_key(key["key"]).call("POST", path, 200, json=body)
    if stream:
        events = [json.loads(line[6:]) for line in reply.text.splitlines() if line.startswith("data: {")]
        response = events[0].get("id") or events[0]["message"]["id"]
    else:
        response = reply.json()["id"]
    call = eventually(lambda: [row for row in answered.all("llm_calls", project_id=project.id) if row["state"] != "open"])[0]
    assert (call["source"], call["response_id"], call["trace_id"]) == ("gateway", response, None)
    trace = secrets.token_hex(16)
    export(project, "library", span(trace, 1, None, began, gen_ai__response__id=response), binary=False)
    (joined,) = drained(project, trace, [f"{1:016x}"])
    assert (joined["id"], joined["source"]) == (call["id"], "gateway")
    assert len(answered.all("llm_calls", project_id=project.id)) == 2, "the call and the marker"
