"""A server that implements a tool: it responds as configured and records its requests."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from dataclasses import dataclass
from typing import Any


@dataclass
class Used:
    """A complete request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class ToolServer:
    """Listens on loopback while entered. `/status/503` responds with that status, `/bytes/100` with that many bytes,
    `/moved` with a redirect, `/never` not at all; any other path with the weather."""

    def __init__(self) -> None:
        self.used: list[Used] = []
        self.over = threading.Event()
        tool = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                tool.used.append(Used(self.command, self.path, headers, body))
                # A client that timed out has disconnected.
                with contextlib.suppress(ConnectionError):
                    self.answer()

            do_PUT = do_POST

            def answer(self) -> None:
                _, kind, *rest = self.path.split("/")
                status, text = 200, b"rain, 11 degrees"
                if kind == "status":
                    status, text = int(rest[0]), b"out of order"
                elif kind == "bytes":
                    text = b"x" * int(rest[0])
                elif kind == "moved":
                    status = 302
                elif kind == "never":
                    tool.over.wait(60)
                self.send_response(status)
                if status == 302:
                    self.send_header("location", f"{tool.url}/elsewhere")
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> ToolServer:
        threading.Thread(target=self.server.serve_forever, name="tool", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.server.shutdown()
        self.server.server_close()
