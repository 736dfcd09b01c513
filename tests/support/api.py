"""A client of Loam's API, and assertions that every response must pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx

from . import conformance

ERROR_FIELDS = {"code", "message", "type", "param", "request_id"}


class Api:
    """An HTTP client with one API key, or none."""

    def __init__(self, url: str, key: str | None) -> None:
        self.url = url
        self.key = key
        headers = {"authorization": f"Bearer {key}"} if key else {}
        # trust_env off: a proxy configured on the developer's machine must not interfere.
        # verify off: this is plain HTTP, and reading the machine's certificates takes 17 ms.
        self.http = httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False, verify=False)

    def with_key(self, key: str | None) -> Api:
        return Api(self.url, key)

    def call(self, method: str, path: str, expect: int | None = None, **options: Any) -> httpx.Response:
        """Sends a request; with `expect`, any other status fails and the message contains the whole response."""
        answer = self.http.request(method, path, **options)
        conformance.check(answer)
        if expect is not None:
            assert answer.status_code == expect, f"{method} {path}: {answer.status_code}, not {expect}: {answer.text}"
        return answer

    def get(self, path: str, expect: int = 200, **params: Any) -> Any:
        return self.call("GET", path, expect, params=params).json()

    def create(self, collection: str, body: dict[str, Any], **options: Any) -> Any:
        """POSTs to a collection; returns the created object."""
        return self.call("POST", f"/api/v1/{collection}", 201, json=body, **options).json()

    def all(self, collection: str, **params: Any) -> list[dict[str, Any]]:
        """All rows of a list, page by page."""
        rows: list[dict[str, Any]] = []
        cursor = None
        while True:
            page = self.get(f"/api/v1/{collection}", **params, **({"cursor": cursor} if cursor else {}))
            rows += page["data"]
            cursor = page["next_cursor"]
            if cursor is None:
                return rows
            assert page["data"], f"an empty page of {collection} with a cursor to the next"

    def chat(self, model: str, prompt: str, expect: int | None = 200, **fields: Any) -> httpx.Response:
        """A plain chat completion."""
        headers = fields.pop("headers", None)
        body = {"model": model, "messages": [{"role": "user", "content": prompt}]} | fields
        return self.call("POST", "/v1/chat/completions", expect, json=body, headers=headers)


def assert_error(
    answer: httpx.Response, status: int | tuple[int, ...], code: str | None = None, param: str | None = None
) -> dict[str, Any]:
    """Asserts the common error format and this status; returns the error."""
    wanted = status if isinstance(status, tuple) else (status,)
    where = f"{answer.request.method} {answer.request.url.path}"
    assert answer.status_code in wanted, f"{where}: {answer.status_code}, not {wanted}: {answer.text[:500]}"
    assert answer.headers.get("content-type", "").startswith("application/json"), f"{where}: an error is JSON"
    body = answer.json()
    if answer.request.url.path.startswith("/anthropic/"):
        return anthropic_error(answer, where, param)
    path = answer.request.url.path.removeprefix("/otlp").removeprefix("/api/public/otel")
    if path in ("/v1/traces", "/v1/metrics", "/v1/logs"):
        return otlp_error(body, where)
    assert set(body) == {"error"}, f"{where}: {body}"
    error = body["error"]
    assert set(error) == ERROR_FIELDS, f"{where}: the error has {sorted(error)}, not {sorted(ERROR_FIELDS)}"
    for field in ("code", "message", "type", "request_id"):
        assert isinstance(error[field], str), f"{where}: {field} is {error[field]!r}"
        assert error[field], f"{where}: {field} is empty"
    assert error["param"] is None or isinstance(error["param"], str), f"{where}: param is {error['param']!r}"
    assert answer.headers.get("x-request-id") == error["request_id"], f"{where}: the header's request id differs"
    if code is not None:
        assert error["code"] == code, f"{where}: {error}"
    if param is not None:
        said = f"{error['param']} {error['message']}"
        assert param in said, f"{where}: the error names no {param}: {error}"
    return error


def anthropic_error(answer: httpx.Response, where: str, param: str | None) -> dict[str, Any]:
    """Asserts Anthropic's error format, which has no codes and no fields; returns the error."""
    body = answer.json()
    assert set(body) == {"type", "error", "request_id"}, f"{where}: {body}"
    assert body["type"] == "error", f"{where}: {body}"
    error = body["error"]
    assert set(error) == {"type", "message"}, f"{where}: {body}"
    assert error["type"].endswith("_error") or error["type"] == "request_too_large", f"{where}: {body}"
    assert error["message"], f"{where}: {body}"
    assert answer.headers.get("x-request-id") == body["request_id"], f"{where}: the header's request id differs"
    assert param is None or param in error["message"], f"{where}: the error names no {param}: {error}"
    return error


def otlp_error(body: dict[str, Any], where: str) -> dict[str, Any]:
    """Asserts OTLP's error format, `google.rpc.Status`; returns the error."""
    assert set(body) == {"code", "message"}, f"{where}: {body}"
    assert body["code"] > 0, f"{where}: {body}"
    assert body["message"], f"{where}: {body}"
    return body


def eventually(check: Callable[[], Any], seconds: float = 10.0, pause: float = 0.05) -> Any:
    """Repeats `check` until it succeeds; raises its last failure. It fails by AssertionError or a false value."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            value = check()
            if value:
                return value
            problem: AssertionError | None = None
        except AssertionError as error:
            problem = error
        if time.monotonic() > deadline:
            raise problem or AssertionError(f"not within {seconds} s: {getattr(check, '__name__', check)}")
        time.sleep(pause)


def calls_with(api: Api, marker: str) -> list[dict[str, Any]]:
    """The recorded calls whose request contains the marker, among the newest 200: a test makes a handful."""
    rows = api.get("/api/v1/llm_calls", limit=200)["data"]
    details = [api.get(f"/api/v1/llm_calls/{row['id']}") for row in rows[:40]]
    return [each for each in details if marker in str(each.get("request_data"))]
