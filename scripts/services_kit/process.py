"""One child process: started in its own session, waited for, and stopped by its own process id."""

from __future__ import annotations

import atexit
import contextlib
import os
import pwd
import random
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import weakref
from collections.abc import Callable
from pathlib import Path

_alive: weakref.WeakSet[Process] = weakref.WeakSet()


class ServiceError(RuntimeError):
    """A service did not start or stop as it should; the message ends with the tail of its log."""


def free_port() -> int:
    """A port nobody listens on, below the range of outgoing connections, so that a service that is down for a
    moment finds its port free when it comes back."""
    for _ in range(200):
        port = random.SystemRandom().randrange(15_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise ServiceError("found no free port between 15000 and 32000")


def unprivileged_user() -> str | None:
    """Whom to run a service as that refuses root; None when we aren't root."""
    return "nobody" if os.geteuid() == 0 else None


def temporary_folder(prefix: str, owner: str | None = None) -> Path:
    """A new folder under /tmp (not $TMPDIR, which another user may be unable to enter), owned by `owner`."""
    folder = Path(tempfile.mkdtemp(prefix=f"loam-{prefix}-", dir="/tmp"))
    if owner:
        entry = pwd.getpwnam(owner)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
    return folder


def http_ok(url: str) -> bool:
    """True when a GET answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError, ValueError):
        return False


class Process:
    """A child process with its output in two files."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.stdout_path = folder / f"{name}.out"
        self.stderr_path = folder / f"{name}.err"
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._child.pid if self.running else None

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def wait(self, seconds: float) -> int:
        """Wait until it ends; return the exit code."""
        try:
            return self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise ServiceError(f"{self.name} still runs after {seconds:.0f} s\n{self.tail()}") from None

    @property
    def returncode(self) -> int | None:
        """The exit code of the last run; negative for a signal."""
        return None if self._child is None else self._child.poll()

    def launch(self, command: list[str], *, user: str | None = None, env: dict[str, str] | None = None) -> None:
        """Start it; its output is appended to the log."""
        if self.running:
            raise ServiceError(f"{self.name} runs already")
        with self.stdout_path.open("ab") as out, self.stderr_path.open("ab") as err:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=self.folder,
                env=env,
                user=user,
                extra_groups=[] if user else None,
                # A Ctrl-C at the terminal goes to us alone, and we stop our children in order.
                start_new_session=True,
            )
        _alive.add(self)

    def wait_until(self, ready: Callable[[], bool], seconds: float, what: str = "get ready") -> None:
        """Wait for `ready`; an exit or the time limit is an error that shows the log."""
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.running:
                raise ServiceError(f"{self.name} exited with {self.returncode}\n{self.tail()}")
            if time.monotonic() > deadline:
                raise ServiceError(f"{self.name} did not {what} within {seconds:.0f} s\n{self.tail()}")
            time.sleep(0.02)

    def send(self, number: int) -> None:
        """Send a signal to this process, if it is still ours."""
        if self.running:
            self._child.send_signal(number)

    def end(self, number: int = signal.SIGTERM, seconds: float = 20.0) -> int | None:
        """Ask it to stop and wait; past the time limit it is killed and that is an error. Gives the exit code."""
        if self._child is None:
            return None
        self.send(number)
        try:
            return self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            self._kill_group()
            raise ServiceError(f"{self.name} did not stop within {seconds:.0f} s\n{self.tail()}") from None

    def kill9(self) -> None:
        """SIGKILL, and wait until it has ended."""
        if self._child is not None:
            self.send(signal.SIGKILL)
            self._child.wait()

    def _kill_group(self) -> None:
        # The child leads its own session, so its group is its pid and holds nothing that isn't ours.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()

    def output(self) -> str:
        """All that it wrote to standard output, over all its runs."""
        return _text(self.stdout_path)

    def log(self) -> str:
        """All that it wrote to standard error, over all its runs."""
        return _text(self.stderr_path)

    def tail(self, lines: int = 30) -> str:
        """The end of its output, for an error message."""
        return "\n".join([*self.output().splitlines()[-lines:], *self.log().splitlines()[-lines:]])


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


@atexit.register
def _leave_nothing_behind() -> None:
    for process in list(_alive):
        if process.running:
            process._kill_group()
