"""Connections of an unauthenticated attacker, on loopback."""

from __future__ import annotations

import contextlib
import resource
import socket
import time
from pathlib import Path

LOG_IN = b"POST /api/v1/login HTTP/1.1\r\nHost: loam\r\nContent-Type: application/json\r\n"
# What each kind sends at once, and what it then sends byte by byte.
KINDS = {
    "idle": (b"", b""),
    "slow_head": (b"GET /healthz HTTP/1.1\r\nHost: loam\r\nX-Padding: " + b"a" * 16_000, b"a"),
    "slow_body": (LOG_IN + b"Content-Length: 16000\r\n\r\n{", b" "),
    "withheld": (LOG_IN + b"Content-Length: 16384\r\n\r\n" + b" " * 16_383, b""),
    "chunks": (LOG_IN + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 4_000, b"1\r\n \r\n"),
    # The largest response without a credential.
    "slow_reader": (b"GET /openapi.json HTTP/1.1\r\nHost: loam\r\n\r\n" * 8, b""),
}


class Hostile:
    """Many connections of one kind, closed at the end of the `with` block."""

    def __init__(self, port: int, kind: str, count: int) -> None:
        self.first, self.drop = KINDS[kind]
        self.kind = kind
        self.sockets: list[socket.socket] = []
        for _ in range(count):
            self.sockets.append(self.open(port))

    def open(self, port: int) -> socket.socket:
        """Opens another connection; it is not stored here."""
        made = socket.socket()
        if self.kind == "slow_reader":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        made.settimeout(20)
        with contextlib.suppress(OSError):
            made.connect(("127.0.0.1", port))
            made.sendall(self.first)
        made.setblocking(False)
        return made

    def send_a_little(self) -> None:
        """Sends another byte on each connection of the kinds that send slowly."""
        for each in self.sockets if self.drop else []:
            with contextlib.suppress(OSError):
                each.send(self.drop)

    def open_count(self) -> int:
        """Number of connections that the server has not closed."""
        return sum(1 for each in self.sockets if not closed(each))

    def __enter__(self) -> Hostile:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self.sockets:
            each.close()


def closed(connection: socket.socket) -> bool:
    """Whether the peer has closed the connection, whatever it sent before."""
    established = 1
    try:
        return connection.getsockopt(socket.SOL_TCP, socket.TCP_INFO, 1)[0] != established
    except OSError:
        return True


def rss_mb(pid: int) -> float:
    """Memory of a process in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1000
    raise AssertionError(f"process {pid} has no VmRSS")


def many_sockets() -> None:
    """Raises this process's file limit, for thousands of connections."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def within(seconds: float, done) -> bool:
    """Whether a condition becomes true in time."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
