"""What a monitored application sends: records with their calls, as JSON or MessagePack."""

from __future__ import annotations

import gzip
import itertools
import json
import struct
import time
from typing import Any

import httpx
import zstandard

from .api import Api

_numbers = itertools.count(1)
PATH = "/api/v1/ingest/records"
PACKED = {None: lambda body: body, "gzip": gzip.compress, "zstd": zstandard.compress}


def record(trace: str | None = None, calls: int = 0, **fields: Any) -> dict[str, Any]:
    """A valid record with a recent time."""
    made = {
        "trace_id": trace or f"trace-{next(_numbers)}",
        "timestamp": time.time() - 1,
        "request_info": {"method": "GET", "path": "/users/7"},
        "response_info": {"status_code": 200},
        "performance_metrics": {"total_duration": 0.25},
        "functions": [{"name": "load", "module": "app.users", "file_path": "/app/users.py", "line_number": 3}],
        "function_calls": [
            {"call_id": f"c{number}", "function": 0, "start_offset": number / 1000, "duration": 0.001} for number in range(calls)
        ],
    }
    return made | fields


def sender(api: Api, name: str, **fields: Any) -> tuple[Api, dict[str, Any]]:
    """Creates a project; returns a client with its key, and the project."""
    project = api.create("projects", {"name": name} | fields)
    return api.with_key(project["ingest_key"]), project


def send(api: Api, records: list[Any], expect: int | None = 202, **shared: Any) -> httpx.Response:
    return api.call("POST", PATH, expect, json={"records": records} | shared)


def post(api: Api, body: bytes, expect: int | None = 202, **headers: str) -> httpx.Response:
    """Sends a body unchanged; headers are named with `_` for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return api.call("POST", PATH, expect, content=body, headers=named)


def written(body: Any, kind: str, encoding: str | None) -> tuple[bytes, dict[str, str]]:
    """Encodes and compresses a body; returns it with its headers."""
    plain = msgpack(body) if kind == "application/msgpack" else json.dumps(body).encode()
    return PACKED[encoding](plain), {"content_type": kind} | ({"content_encoding": encoding} if encoding else {})


def msgpack(value: Any) -> bytes:
    """Encodes JSON values as MessagePack, always in the longest form of a type."""
    match value:
        case None:
            return b"\xc0"
        case bool():
            return b"\xc3" if value else b"\xc2"
        case int():
            return b"\xd3" + struct.pack(">q", value)
        case float():
            return b"\xcb" + struct.pack(">d", value)
        case str():
            text = value.encode()
            return b"\xdb" + struct.pack(">I", len(text)) + text
        case list():
            return b"\xdd" + struct.pack(">I", len(value)) + b"".join(map(msgpack, value))
        case dict():
            pairs = (msgpack(name) + msgpack(item) for name, item in value.items())
            return b"\xdf" + struct.pack(">I", len(value)) + b"".join(pairs)
    raise TypeError(f"{value!r} is nothing that JSON can say")
