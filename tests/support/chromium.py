"""A real browser that opens a page of an origin of its own."""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BROWSERS = ("chromium-headless-shell", "chromium")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PAGE = """<!doctype html><meta charset="utf-8"><script type="module">
const tell = (told) => fetch("/told", {method: "POST", body: JSON.stringify(told)});
try { tell({value: await (async () => { %s })()}); } catch (error) { tell({error: String(error)}); }
</script>"""


def _browser() -> str:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert found, "there is no Chromium: `make ready` installs one"
    return found


class Site:
    """A web site with one page, whose script is given when it runs."""

    def __init__(self) -> None:
        self.script = ""
        self.told: queue.Queue[dict[str, Any]] = queue.Queue()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                is_page = self.path == "/"
                self.send_response(200 if is_page else 404)
                self.send_header("content-type", "text/html; charset=utf-8")
                self.end_headers()
                if is_page:
                    self.wfile.write((PAGE % site.script).encode())

            def do_POST(self) -> None:
                site.told.put(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.server.server_port}"

    def run(self, script: str, seconds: float = 60) -> Any:
        """Opens the page in a browser; returns what its script returns."""
        self.script = script
        with tempfile.TemporaryDirectory() as profile:
            command = [_browser(), *FLAGS, f"--user-data-dir={profile}", "--remote-debugging-port=0", f"{self.origin}/"]
            browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                told = self.told.get(timeout=seconds)
            finally:
                browser.kill()
                browser.wait()
        assert "error" not in told, told["error"]
        return told["value"]

    def __enter__(self) -> Site:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
