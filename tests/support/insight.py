"""Requests of a monitored application as spans, and a model's explanation of them."""

from __future__ import annotations

import itertools
import json
import secrets
import time
from typing import Any

from .api import Api

_numbers = itertools.count(1)
ENDPOINT = "GET /orders"
LOOP = "list_orders"
STATEMENT = "SELECT * FROM customers WHERE id = ?"


class Watched:
    """A project whose application sends spans with an ingest key."""

    def __init__(self, api: Api, **config: Any) -> None:
        name = f"watched-{next(_numbers)}"
        self.api = api
        self.id = api.create("projects", {"name": name, "config": config})["id"]
        key = {"name": name, "scopes": ["telemetry:send"], "project_id": self.id}
        self._sender = api.with_key(api.create("api_keys", key)["key"])

    def send(self, *, version: str = "1.0", rows: int = 30, loop: str = LOOP) -> str:
        """Sends a request with a 20 ms query per row; returns its trace id."""
        trace, begin = secrets.token_hex(16), time.time_ns() - 2_000_000_000
        spans: list[dict[str, Any]] = []

        def span(name: str, parent: str | None, at: int, ms: int, kind: int = 1, **attributes: str) -> str:
            told = {"traceId": trace, "spanId": secrets.token_hex(8), "name": name, "kind": kind}
            if parent:
                told["parentSpanId"] = parent
            told |= {"startTimeUnixNano": str(at), "endTimeUnixNano": str(at + ms * 1_000_000)}
            told["attributes"] = [{"key": k, "value": {"stringValue": v}} for k, v in attributes.items()]
            spans.append(told)
            return told["spanId"]

        server = {"http.request.method": "GET", "http.route": "/orders"}
        root = span(ENDPOINT, None, begin, rows * 20 + 40, 2, **server)
        code = span(loop, root, begin, rows * 20 + 30)
        database = {"db.system.name": "postgresql"}
        span("SELECT", code, begin, 10, 3, **database, **{"db.query.text": "SELECT * FROM orders"})
        for row in range(rows):
            at = begin + (10 + row * 20) * 1_000_000
            span("SELECT", code, at, 20, 3, **database, **{"db.query.text": STATEMENT})
        resource = {"attributes": [{"key": "service.version", "value": {"stringValue": version}}]}
        body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}
        self._sender.call("POST", "/v1/traces", 200, json=body)
        return trace


def an_analysis(**changes: Any) -> dict[str, Any]:
    """A correct explanation by a model."""
    answer = {
        "performance_score": 35,
        "bottleneck_analysis": [
            {"type": "database", "severity": "high", "function": LOOP, "description": "a query a row", "impact": 0.9}
        ],
        "optimization_suggestions": [
            {
                "category": "database",
                "priority": "high",
                "title": "Join the customers",
                "description": f"Fetch all customers of `{LOOP}()` in one query.",
                "code_example": "SELECT … FROM orders JOIN customers …",
                "expected_improvement": "nine tenths",
                "function": LOOP,
            }
        ],
        "risk_assessment": {"current_risks": ["it grows with its rows"], "potential_issues": [], "recommendations": []},
    }
    return answer | changes


def reply(text: str | dict[str, Any], times: int = 1) -> dict[str, Any]:
    """For `LlMock.script`."""
    return {"type": "reply", "text": text if isinstance(text, str) else json.dumps(text), "times": times}
