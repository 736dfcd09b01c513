"""The effect of thousands of unauthenticated connections on a Loam on loopback: memory, and the latency of other clients.

    LOAM_BIN=…/release/loam python bench/hostile.py [--connections 10000] [--seconds 10] [--kinds idle,slow_head]

For each kind of `tests/support/hostile.py` a fresh Loam is measured alone, then under attack, for as long: RSS, and p50 and
p99 of `/healthz` (a connection each) and of a tenant's calls (over one that is kept). Connections that are closed are opened
again each second. It prints a line of JSON for each kind and ends with 1 when a limit is broken: 200 MB, twice the p99
(with a floor of 20 ms, as a p99 of one millisecond doubles by chance).
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import sys
import time
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from services import LlMock, Loam  # noqa: E402 (the path comes first)
from support.api import Api  # noqa: E402
from support.deployment import Deployment, add_usual_providers  # noqa: E402
from support.hostile import KINDS, Hostile, closed, many_sockets, rss_mb  # noqa: E402

MOST_MB = 200
FLOOR_MS = 20


class Attack:
    """Keeps the given number of connections of a kind open, in its own process."""

    def __init__(self, port: int, kind: str, count: int) -> None:
        self.over, self.full = multiprocessing.Event(), multiprocessing.Event()
        self.opened = multiprocessing.Value("i", 0)
        shared = (self.over, self.full, self.opened)
        self.process = multiprocessing.Process(target=keep_open, args=(port, kind, count, *shared), daemon=True)
        self.process.start()

    def end(self) -> None:
        self.over.set()
        self.process.join(30)
        if self.process.is_alive():
            self.process.kill()


def keep_open(port: int, kind: str, count: int, over: Any, full: Any, opened: Any) -> None:
    """Opens again what the server closes, once a second."""
    with Hostile(port, kind, 0) as hostile:
        while not over.is_set():
            for each in [each for each in hostile.sockets if closed(each)]:
                each.close()
            hostile.sockets[:] = [each for each in hostile.sockets if each.fileno() >= 0]
            while len(hostile.sockets) < count and not over.is_set():
                hostile.sockets.append(hostile.open(port))
                opened.value += 1
            hostile.send_a_little()
            full.set()
            over.wait(1)


def quantile(times: list[float], share: float) -> float:
    """In milliseconds."""
    ordered = sorted(times)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 2)


def health(port: int) -> bool:
    """`/healthz` over its own connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    finally:
        connection.close()


def measure(made: Deployment, seconds: float) -> dict[str, float]:
    """How long others wait, and what the server takes at most."""
    healths, calls, rss, failed = [], [], 0.0, 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for times, ask in (
            (healths, lambda: health(made.loam.port)),
            (calls, lambda: made.api.chat("mock/gpt-4o", "hello", None).is_success),
        ):
            began = time.monotonic()
            try:
                failed += not ask()
            except (httpx.HTTPError, OSError, http.client.HTTPException):
                failed += 1
            times.append(time.monotonic() - began)
        rss = max(rss, rss_mb(made.loam.process.pid))
    return {
        "healthz_p50": quantile(healths, 0.5),
        "healthz_p99": quantile(healths, 0.99),
        "call_p50": quantile(calls, 0.5),
        "call_p99": quantile(calls, 0.99),
        "rss_mb": round(rss, 1),
        "failed": failed,
        "asked": len(healths) + len(calls),
    }


def attack(kind: str, count: int, seconds: float, mock: LlMock) -> bool:
    """One kind against a new Loam; returns whether it kept its limits."""
    with Loam() as loam:
        made = Deployment(loam, Api(loam.url, loam.key), "sqlite")
        add_usual_providers(made, mock)
        measure(made, 2)
        before = measure(made, seconds)
        attacker = Attack(loam.port, kind, count)
        attacker.full.wait(120)
        during = measure(made, seconds)
        attacker.end()
        after = measure(made, 2)
        loam.stop()
    grown = round(during["rss_mb"] - before["rss_mb"], 1)
    kept = (
        grown <= MOST_MB
        and during["failed"] == 0
        and all(during[name] <= max(2 * before[name], FLOOR_MS) for name in ("healthz_p99", "call_p99"))
    )
    shown = {"kind": kind, "connections": count, "opened": attacker.opened.value, "grown_mb": grown, "kept": kept}
    print(json.dumps(shown | {"before": before, "during": during, "after": after}), flush=True)
    return kept


def main() -> None:
    wanted = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    wanted.add_argument("--connections", type=int, default=10_000)
    wanted.add_argument("--seconds", type=float, default=10)
    wanted.add_argument("--kinds", default=",".join(KINDS))
    given = wanted.parse_args()
    many_sockets()
    with LlMock() as mock:
        kept = [attack(kind, given.connections, given.seconds, mock) for kind in given.kinds.split(",")]
    sys.exit(0 if all(kept) else 1)


if __name__ == "__main__":
    main()
