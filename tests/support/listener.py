"""An external server that records what it receives and responds as configured."""

from __future__ import annotations

import contextlib
import http.server
import threading
from dataclasses import dataclass


@dataclass
class Heard:
    """A complete request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Listener:
    """Listens on loopback while entered."""

    def __init__(self, status: int = 200, body: bytes = b"{}", headers: dict[str, str] | None = None) -> None:
        self.heard: list[Heard] = []
        listener = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = self.rfile.read(int(self.headers.get("content-length", 0)))
                said = {name.lower(): value for name, value in self.headers.items()}
                listener.heard.append(Heard(self.command, self.path, said, content))
                with contextlib.suppress(ConnectionError):
                    self.send_response(status)
                    for name, value in (headers or {}).items():
                        self.send_header(name, value)
                    self.send_header("content-type", "application/json")
                    self.send_header("content-length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            do_POST = do_PUT = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def all(self) -> str:
        """Everything received, as one text."""
        return "\n".join(f"{each.path} {each.headers} {each.body!r}" for each in self.heard)

    def __enter__(self) -> Listener:
        threading.Thread(target=self.server.serve_forever, name="listener", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
