"""Loam itself: the binary under test, with its own data folder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from .process import Process, ServiceError, free_port, http_ok, temporary_folder

# Long enough to be refused nowhere, and easy to recognise where it must never appear.
BOOTSTRAP_KEY = "loam_testoperator0123456789abcdefghijklmnopqrstuvwxyz"
BOOTSTRAP_PASSWORD = "correct-horse-battery-staple-7041"

# What the tests put behind Loam listens on this machine, which it reaches only where an operator names the network.
ALLOW_THIS_MACHINE = {"LOAM_OUTGOING__ALLOW_NETWORKS": '["127.0.0.0/8", "::1"]'}

# A stop waits for turns and calls whose provider never responds: shorter here than the timeout of `stop`.
STOP_SOON = {"LOAM_SERVER__SHUTDOWN_TIMEOUT": "8"}

# Tests wait for these jobs, which run every 15 seconds or every minute otherwise.
FREQUENT_JOBS = ("alert_rules.evaluate", "suggestions.collect", "suggestions.measure_gains")
JOBS_SOON = {
    "LOAM_JOBS__POLL_MS": "200",
    "LOAM_JOBS__SCHEDULE_SECONDS": "{" + ", ".join(f'"{kind}"=1' for kind in FREQUENT_JOBS) + "}",
}

# Commands that work on a deployment's data; the others know nothing of it.
ON_DATA = {
    "tenant",
    "user",
    "erasure",
    "export",
    "role",
    "session",
    "alert",
    "analysis",
    "compare",
    "record",
    "stats",
    "suggestion",
    "requirement",
    "prd",
    "design",
    "spec",
    "message",
    "login-session",
    "signing-key",
    "secret",
    "key",
    "project",
    "provider",
    "price",
    "route",
    "limit",
    "usage",
    "call",
    "db",
    "config",
    "audit",
    "api-log",
    "error-log",
}


def binary() -> Path:
    """The program named by LOAM_BIN."""
    path = os.environ.get("LOAM_BIN")
    if not path or not os.access(path, os.X_OK):
        raise ServiceError(f"LOAM_BIN must name the loam binary (it is {path!r}): run `make test`")
    return Path(path).resolve()


class Loam:
    """`loam serve`, ready when `GET /readyz` answers 200."""

    def __init__(
        self,
        *,
        database_url: str | None = None,
        data: Path | None = None,
        port: int | None = None,
        bootstrap: bool = True,
        env: dict[str, str] | None = None,
        start: bool = True,
    ) -> None:
        self.database_url = database_url
        self.folder = temporary_folder("loam")
        self.data = data or self.folder / "data"
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.base_url = f"{self.url}/v1"
        self.key = BOOTSTRAP_KEY if bootstrap else ""
        self._bootstrap = {"LOAM_BOOTSTRAP_KEY": BOOTSTRAP_KEY, "LOAM_BOOTSTRAP_PASSWORD": BOOTSTRAP_PASSWORD}
        self._env = (self._bootstrap if bootstrap else {}) | (env or {})
        self.process = Process("loam", self.folder)
        if start:
            self.start()

    @property
    def _where(self) -> list[str]:
        where = ["--data", str(self.data)]
        return [*where, "--database-url", self.database_url] if self.database_url else where

    def environment(self) -> dict[str, str]:
        """The environment that it is started with."""
        # Nothing of the developer's own configuration may reach the binary under test.
        clean = {name: value for name, value in os.environ.items() if not name.startswith("LOAM_")}
        return clean | ALLOW_THIS_MACHINE | STOP_SOON | JOBS_SOON | self._env

    def serve_command(self) -> list[str]:
        return [str(binary()), "serve", "--listen", f"127.0.0.1:{self.port}", *self._where]

    def start(self, seconds: float = 60) -> float:
        """Start it and wait until it is ready; gives the seconds that took."""
        began = time.monotonic()
        self.process.launch(self.serve_command(), env=self.environment())
        self.process.wait_until(lambda: http_ok(f"{self.url}/readyz"), seconds)
        return time.monotonic() - began

    def launch(self) -> None:
        """Start it without waiting."""
        self.process.launch(self.serve_command(), env=self.environment())

    def stop(self, seconds: float = 30) -> int | None:
        """SIGTERM: drain and exit. Gives the exit code."""
        return self.process.end(signal.SIGTERM, seconds)

    def kill9(self) -> None:
        """SIGKILL at this moment."""
        self.process.kill9()

    def restart(self) -> float:
        """Stop it cleanly if it still runs, and start it on the same data and port."""
        if self.process.running:
            self.stop()
        return self.start()

    def cli(self, *words: str, check: bool = True, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command of the same binary on the same data; with `check` a non-zero exit code is an error."""
        done = subprocess.run(
            [str(binary()), *words, *(self._where if words[0] in ON_DATA else [])],
            input=stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env=self.environment() | {"LOAM_URL": self.url, "LOAM_API_KEY": self.key},
        )
        if check and done.returncode != 0:
            raise ServiceError(f"`loam {' '.join(words)}` exited with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def cli_json(self, *words: str, stdin: str | None = None) -> Any:
        """The same with `--json`, its standard output read as JSON."""
        return json.loads(self.cli(*words, "--json", stdin=stdin).stdout)

    def close(self) -> None:
        """Kill it and remove its folder."""
        self.process.kill9()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Loam:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
