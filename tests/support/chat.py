"""Helpers for conversations."""

from __future__ import annotations

import json
from typing import Any

from .api import Api


def session(api: Api, **fields: Any) -> dict[str, Any]:
    return api.create("chat_sessions", fields)


def say(api: Api, session_id: str, content: Any, role: str = "user", **fields: Any) -> dict[str, Any]:
    return api.create("messages", {"session_id": session_id, "role": role, "content": content} | fields)


def configs(session_id: str, key: str = "") -> str:
    """The path of a session's settings, or of one setting."""
    return f"/api/v1/chat_sessions/{session_id}/configs" + (f"/{key}" if key else "")


def jsonl(lines: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def send(api: Api, body: bytes, expect: int | None = 200, **params: Any) -> Any:
    """Imports a history; returns the response."""
    return api.call("POST", "/api/v1/chat_sessions/import", expect, content=body, params=params)


def export(api: Api, **params: Any) -> list[dict[str, Any]]:
    """All lines of an export without the end line, which is verified."""
    text = api.call("GET", "/api/v1/chat_sessions/export", 200, params=params).text
    *lines, end = [json.loads(line) for line in text.splitlines()]
    kinds = [line["type"] for line in lines]
    assert end == {"type": "end", "sessions": kinds.count("session"), "messages": kinds.count("message")}
    return lines
