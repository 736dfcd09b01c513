"""Errors reported by applications, linked to the traces in which they occurred."""

from __future__ import annotations

import secrets
import time

from support.api import Api, assert_error, eventually


def span(trace: str, span_id: str, parent: str | None, kind: int, raised: tuple[str, str] | None) -> dict:
    """A span in OTLP's JSON."""
    begin = int(time.time() * 1e9)
    made = {"traceId": trace, "spanId": span_id, "name": f"span {span_id}", "kind": kind}
    made |= {"startTimeUnixNano": str(begin), "endTimeUnixNano": str(begin + 5_000_000)}
    if parent:
        made["parentSpanId"] = parent
    if kind == 2:
        attributes = {"http.request.method": "POST", "http.route": "/pay", "url.path": "/pay"}
        made["attributes"] = [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()]
    if raised:
        fields = {"exception.type": raised[0], "exception.message": raised[1]}
        texts = [{"key": key, "value": {"stringValue": value}} for key, value in fields.items()]
        made["events"] = [{"name": "exception", "timeUnixNano": str(begin), "attributes": texts}]
    return made


def send(sender: Api, spans: list[dict]) -> None:
    body = {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {}, "spans": spans}]}]}
    sender.call("POST", "/v1/traces", 200, json=body)


def test_an_exception_in_a_trace_is_an_error_once_and_found_by_trace_record_and_project(tenant):
    project = tenant.create("projects", {"name": "shop"})["id"]
    made = tenant.create("api_keys", {"name": "sender", "scopes": ["telemetry:send"], "project_id": project})
    sender = tenant.with_key(made["key"])
    trace = secrets.token_hex(16)
    raised = ("ValueError", "no card 4711")
    spans = [
        span(trace, "00000000000000a1", None, 2, raised),
        span(trace, "00000000000000a2", "00000000000000a1", 1, raised),
    ]
    for _ in range(3):
        send(sender, spans)
    (error,) = eventually(lambda: tenant.all("error_logs", trace_id=trace), 20)
    assert (error["source"], error["project_id"], error["endpoint"]) == ("application", project, "POST /pay")
    assert (error["error_type"], error["error_message"]) == raised
    assert error["context"]["call_id"] == "00000000000000a2", "the call that raised it"
    assert [row["id"] for row in tenant.all("error_logs", project_id=project)] == [error["id"]]
    assert [row["id"] for row in tenant.all("error_logs", record_id=error["record_id"])] == [error["id"]]
    record = tenant.get(f"/api/v1/performance_records/{error['record_id']}")
    (told,) = record["errors"]
    assert (told["id"], told["call_id"], told["fingerprint"]) == (error["id"], "00000000000000a2", error["fingerprint"])
    assert (told["error_type"], told["error_message"]) == raised
    assert "errors" not in tenant.all("performance_records", project_id=project)[0]
    assert tenant.all("error_logs", trace_id=secrets.token_hex(16)) == []
    (group,) = [one for one in tenant.all("error_groups") if one["fingerprint"] == error["fingerprint"]]
    assert group["count"] == 1
    assert tenant.get(f"/api/v1/error_groups/{group['fingerprint']}") == group
    for unknown in (group["fingerprint"][:-1] + "g", "0" * 32, "x"):
        assert_error(tenant.call("GET", f"/api/v1/error_groups/{unknown}"), 404)
    other = tenant.create("projects", {"name": "without errors"})["id"]
    assert [row["id"] for row in tenant.all("error_groups", project_id=project)] == [group["id"]]
    assert tenant.all("error_groups", project_id=other) == []
    # Another number in the message: another error of the same group.
    trace = secrets.token_hex(16)
    send(sender, [span(trace, "00000000000000b1", None, 2, ("ValueError", "no card 4712"))])
    (other,) = eventually(lambda: tenant.all("error_logs", trace_id=trace), 20)
    assert other["fingerprint"] == error["fingerprint"]
