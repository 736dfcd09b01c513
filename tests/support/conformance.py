"""Compares what the server sends with what its OpenAPI document says: statuses, error codes, bodies and events."""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs

from .openapi import Operation, operations

# Further bodies of an operation with the same status are not compared.
MAX_BODIES = 20
_seen: Counter[tuple[str, str]] = Counter()


@cache
def document() -> dict[str, Any]:
    return json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text())


@cache
def routes() -> list[tuple[str, re.Pattern[str], Operation]]:
    """Method, pattern of the path, operation; fixed paths first, as the server matches them."""
    found = sorted(operations(document()), key=lambda operation: operation.path.count("{"))
    return [(each.method, re.compile(re.sub(r"\{[^}]*\}", "[^/]+", each.path)), each) for each in found]


@cache
def validator(operation_id: str, status: str, content_type: str) -> jsonschema_rs.Validator:
    operation = next(each for _, _, each in routes() if each.document["operationId"] == operation_id)
    schema = described(operation, status)["content"][content_type]["schema"]
    return jsonschema_rs.validator_for({**schema, "components": document()["components"]})


def described(operation: Operation, status: str) -> dict[str, Any]:
    """The documented response for a status."""
    responses = operation.document["responses"]
    found = responses.get(status) or responses.get(f"{status[0]}XX")
    assert found, f"{operation.document['operationId']} does not document {status}"
    name = found.get("$ref", "").removeprefix("#/components/responses/")
    return document()["components"]["responses"][name] if name else found


def check(answer: httpx.Response) -> None:
    """Asserts that the document describes this response. Paths that it does not list are left out."""
    request = answer.request
    path = request.url.path
    matches = (operation for method, pattern, operation in routes() if method == request.method and pattern.fullmatch(path))
    operation = next(matches, None)
    if operation is None:
        return
    name, status = operation.document["operationId"], str(answer.status_code)
    response = described(operation, status)
    content_type = answer.headers.get("content-type", "").split(";")[0]
    if "x-error-codes" in response:
        code = answer.json()["error"]["code"]
        codes = response["x-error-codes"] + described_also(operation, status)
        assert code in codes, f"{name} does not document {status} {code}"
    _seen[name, status] += 1
    if not answer.content or _seen[name, status] > MAX_BODIES:
        return
    assert content_type in response["content"], f"{name} does not document {status} with {content_type}"
    if content_type == "application/json":
        validate(name, status, content_type, answer.json())
    elif content_type == "text/event-stream" and name.startswith("turns_"):
        for block in answer.text.strip().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
            if fields:
                validate(name, status, content_type, {"event": fields["event"], "data": json.loads(fields["data"])})


def described_also(operation: Operation, status: str) -> list[str]:
    """Codes that come with any status: a provider's refusals keep the provider's status."""
    return operation.document["responses"].get(f"{status[0]}XX", {}).get("x-error-codes", [])


def validate(name: str, status: str, content_type: str, body: Any) -> None:
    errors = [f"{each.instance_path}: {each.message[:200]}" for each in validator(name, status, content_type).iter_errors(body)]
    assert not errors, f"{name} {status} does not match its schema: {errors[:5]}"
