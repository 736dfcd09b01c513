"""Logs of OpenTelemetry's stock SDK and on the wire: what is an error reaches the error log, with its trace."""

from __future__ import annotations

import json
import logging
import secrets
import time

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from support.api import Api, assert_error, eventually
from telemetry.conftest import Project


def errors(api: Api, **filters: str) -> list[dict]:
    return api.all("error_logs", **filters)


@pytest.mark.parametrize("log_first", [True, False])
def test_an_exception_counts_once_whether_its_span_or_its_log_record_comes_first(project: Project, log_first: bool) -> None:
    resource = Resource.create({"service.name": "shop"})
    headers = {"authorization": f"Bearer {project.sender.key}"}
    traces = TracerProvider(resource=resource)
    traces.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{project.api.url}/v1/traces", headers=headers)))
    logs = LoggerProvider(resource=resource)
    exporter = OTLPLogExporter(f"{project.api.url}/v1/logs", headers=headers, compression=Compression.Gzip)
    logs.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    logger = logging.getLogger(f"shop.{secrets.token_hex(4)}")
    logger.propagate = False
    logger.addHandler(LoggingHandler(logger_provider=logs))
    tracer = traces.get_tracer("shop")
    message = f"no such card {secrets.token_hex(4)}"
    with tracer.start_as_current_span("request") as request:
        trace = format(request.get_span_context().trace_id, "032x")
        logger.warning("only a warning")
        pay = tracer.start_span("pay")
        try:
            raise ValueError(message)
        except ValueError as error:
            pay.record_exception(error)
            if log_first:
                logger.exception("payment failed")
                eventually(lambda: errors(project.api, trace_id=trace))
                pay.end()
            else:
                pay.end()
                eventually(lambda: errors(project.api, trace_id=trace))
                logger.exception("payment failed")
        # a later error shows that the other one has arrived too
        logger.error("no card at all")
    traces.shutdown()
    logs.shutdown()
    rows = eventually(lambda: len(found := errors(project.api, trace_id=trace)) >= 2 and found, seconds=20)
    assert sorted((row["error_type"], row["error_message"]) for row in rows) == [
        ("ERROR", "no card at all"),
        ("ValueError", message),
    ]
    assert {row["project_id"] for row in rows} == {project.id}
    row = next(row for row in rows if row["error_type"] == "ERROR")
    whole = project.api.get(f"/api/v1/error_logs/{row['id']}")
    assert whole["context"]["logger"] == logger.name
    assert whole["context"]["service"] == "shop"


def log_record(**fields: object) -> dict:
    return {"timeUnixNano": str(time.time_ns()), "severityNumber": 17, "body": {"stringValue": "broken"}} | fields


def body(*records: dict) -> str:
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"scope": {"name": "test"}, "logRecords": list(records)}]}]})


def export(api: Api, content: str, expect: int = 200) -> dict:
    return api.call("POST", "/otlp/v1/logs", expect, content=content, headers={"content-type": "application/json"}).json()


def test_a_log_record_without_a_trace_is_an_error_of_its_project_and_counts_once(project: Project) -> None:
    message = f"disk {secrets.token_hex(4)}"
    content = body(log_record(body={"stringValue": message}), log_record(severityNumber=9, body={"stringValue": "fine"}))
    assert export(project.sender, content) == export(project.sender, content) == {}
    rows = eventually(lambda: errors(project.api, project_id=project.id))
    assert [(row["error_type"], row["error_message"], row["trace_id"]) for row in rows] == [("ERROR", message, None)]
    assert project.api.get(f"/api/v1/error_logs/{rows[0]['id']}")["stack_trace"] is None


def test_one_bad_log_record_is_rejected_alone(project: Project) -> None:
    too_old = log_record(timeUnixNano=str(time.time_ns() - 40 * 86_400 * 10**9))
    undecodable = log_record(attributes=[{"key": "n", "value": {"intValue": "9223372036854775808"}}])
    answer = export(project.sender, body(log_record(), too_old, undecodable))
    assert answer["partialSuccess"]["rejectedLogRecords"] == "2"
    assert "too long ago" in answer["partialSuccess"]["errorMessage"]
    assert len(eventually(lambda: errors(project.api, project_id=project.id))) == 1


def test_logs_need_the_permission_to_send_telemetry(project: Project, tenant: Api) -> None:
    made = project.api.create("api_keys", {"name": "reads", "scopes": ["error_logs:read"]})
    for api, status in [(project.api.with_key(made["key"]), 403), (project.api.with_key(None), 401)]:
        answer = api.call("POST", "/v1/logs", content=body(log_record()), headers={"content-type": "application/json"})
        assert_error(answer, status)
    named = {"content-type": "application/json", "x-loam-project": project.id}
    assert tenant.call("POST", "/v1/logs", content=body(log_record()), headers=named).status_code == 404, "another tenant's"
