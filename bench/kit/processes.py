"""Starting processes, waiting for them, and stopping every one of them by its own id."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path


class BenchError(Exception):
    """Something that keeps the benchmark from running; its message says what to do."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def http(
    url: str,
    *,
    method: str | None = None,
    data: bytes | None = None,
    headers: dict[str, str] | None = None,
    timeout: float = 10,
) -> bytes:
    request = urllib.request.Request(url, data=data, headers=headers or {}, method=method)
    # No proxy from the environment: everything is on loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=timeout) as answer:
        return answer.read()


class Process:
    """One started process, its log file, and how it is stopped."""

    def __init__(self, name: str, popen: subprocess.Popen[bytes], log: Path, stop_signal: int):
        self.name, self.popen, self.log, self.stop_signal = name, popen, log, stop_signal

    @property
    def pid(self) -> int:
        return self.popen.pid

    def tail(self) -> str:
        return self.log.read_bytes()[-2000:].decode(errors="replace")

    def check(self) -> None:
        status = self.popen.poll()
        if status is not None:
            raise BenchError(f"{self.name} ended with status {status}; its log ends:\n{self.tail()}")

    def stop(self, patience: float = 30) -> int:
        """Asks it to end, then makes it; returns its exit status."""
        if self.popen.poll() is None:
            self.popen.send_signal(self.stop_signal)
            try:
                self.popen.wait(patience)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        # Children that outlived it: the group was made for this process alone.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        return self.popen.returncode


class Processes:
    """All that was started. Leaving the context stops what still runs, the last started first."""

    def __init__(self, folder: Path):
        self.folder, self.running = folder, []

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        # A second Ctrl-C while stopping would leave the rest running.
        before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
        while self.running:
            self.running.pop().stop()
        for number, handler in before.items():
            signal.signal(number, handler)

    def start(
        self,
        name: str,
        command: list[str | Path],
        *,
        env: dict[str, str] | None = None,
        user: int | None = None,
        stop_signal: int = signal.SIGTERM,
        cwd: Path | None = None,
    ) -> Process:
        log = self.folder / f"{name}.log"
        identity = {} if user is None else {"user": user, "group": user, "extra_groups": []}
        try:
            with log.open("ab") as out:
                popen = subprocess.Popen(
                    [str(part) for part in command],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **(env or {})},
                    cwd=cwd or self.folder,
                    # A Ctrl-C reaches the benchmark only, which then stops its processes in order.
                    start_new_session=True,
                    **identity,
                )
        except OSError as error:
            raise BenchError(f"can't start {name}: {error}") from error
        process = Process(name, popen, log, stop_signal)
        self.running.append(process)
        return process

    def stop(self, process: Process, patience: float = 30) -> int:
        if process in self.running:
            self.running.remove(process)
        return process.stop(patience)


def wait_for(process: Process, url: str, *, seconds: float, headers: dict[str, str] | None = None) -> None:
    """Until `url` answers 200; an end of the process or of the time is an error."""
    end = time.monotonic() + seconds
    why = "no answer"
    while time.monotonic() < end:
        process.check()
        try:
            http(url, headers=headers, timeout=5)
            return
        except urllib.error.HTTPError as error:
            why = f"status {error.code}"
        except OSError as error:
            why = str(error)
        time.sleep(0.05)
    raise BenchError(f"{process.name} was not ready at {url} after {seconds:.0f} s ({why}); its log ends:\n{process.tail()}")
