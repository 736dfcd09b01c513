"""The server of both formats: `/v1/chat/completions` as OpenAI, `/v1/messages` as Anthropic."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from dataclasses import dataclass
from typing import Any

from . import chat, messages
from .rules import RefusedError
from .script import reply_to

FORMATS = {"/v1/chat/completions": chat, "/v1/messages": messages}


@dataclass
class Upstream:
    """A request that arrived, and why it was refused."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str]
    refused: str | None


class Strict:
    """Listens on loopback while entered. The model reads a note with the client's tool, then says what it holds."""

    def __init__(self) -> None:
        self.requests: list[Upstream] = []
        self._lock = threading.Lock()
        strict = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                path = self.path.split("?")[0]
                with contextlib.suppress(ConnectionError):
                    strict.answer(self, path, json.loads(content), headers)

            def send(self, status: int, kind: str, content: bytes) -> None:
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.base_url = f"{self.url}/v1"

    def answer(self, handler: Any, path: str, body: dict[str, Any], headers: dict[str, str]) -> None:
        kind = FORMATS.get(path)
        refused = None
        try:
            if kind is None:
                raise RefusedError(f"unknown path {path}")
            kind.check(body, headers)
        except RefusedError as error:
            refused = str(error)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            refused = f"malformed: {error!r}"
        with self._lock:
            self.requests.append(Upstream(path, body, headers, refused))
            number = len(self.requests)
        if refused:
            error = {"type": "error", "error": {"type": "invalid_request_error", "message": refused, "param": None, "code": None}}
            handler.send(404 if kind is None else 400, "application/json", json.dumps(error).encode())
            return
        reply = reply_to(kind.asked(body))
        if body.get("stream"):
            handler.send(200, "text/event-stream", "".join(kind.stream(body, reply, number)).encode())
        else:
            handler.send(200, "application/json", json.dumps(kind.complete(body, reply, number)).encode())

    def refusals(self) -> list[str]:
        return [f"{each.path}: {each.refused}" for each in self.requests if each.refused]

    def __enter__(self) -> Strict:
        threading.Thread(target=self._server.serve_forever, name="strict", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
