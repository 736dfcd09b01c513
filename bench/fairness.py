#!/usr/bin/env python3
"""How much one tenant's abuse slows another: its deliveries, imports, telemetry, calls and lists, with and without the load.

Both are measured alternately on one server in one run: a slot without load, a slot with it, and so on. The load generator is
a separate process at the lowest priority, so that the server's work for it counts, not the processor time that its client
takes from the measured one. Printed are the median and the 99th percentile of both and their ratio;
README.md says how to read it.

`scheduler` is the control: messages to and from a process that only returns them. Nothing of Loam takes part, so its
99th percentile is what the machine itself adds to any work while its processors are busy.

    LOAM_BIN=target/release/loam "$(scripts/setup.py path venv:tests)/bin/python" bench/fairness.py
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tests"), str(HERE.parent / "scripts")]

from services import LlMock, Postgres  # noqa: E402
from support.api import Api  # noqa: E402
from support.deployment import deploy  # noqa: E402
from support.noisy_neighbor import NoisyNeighbor, Tarpit, Victim, figures, quantile  # noqa: E402
from support.platforms import Receiver  # noqa: E402

Times = dict[str, list[float]]
# How much slower the other tenant may become.
AIM = 2.0
CONTROL = "scheduler"
# Of 500 bytes; a request and its answer cross about as many boundaries between processes.
CONTROL_MESSAGES = 4


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--databases", default="sqlite,postgres", help="which, by comma")
    parser.add_argument("--slots", type=int, default=4, help="slots alone, and as many beside the noisy neighbor")
    parser.add_argument("--rounds", type=int, default=100, help="rounds of each kind of work in a slot")
    parser.add_argument("--settle", type=float, default=5.0, help="seconds before a slot is measured")
    parser.add_argument("--output", type=Path, default=HERE / "results/fairness.json")
    parser.add_argument("--require-aims", action="store_true", help=f"fail when a p99 is more than {AIM} times what it is alone")
    return parser.parse_args()


def run_noisy_neighbor(url: str, key: str, line: Connection) -> None:
    """Runs in its own process: reports its start, stops on request, and reports its results."""
    os.nice(19)
    with Tarpit() as tarpit, NoisyNeighbor(Api(url, key), tarpit) as neighbor:
        line.send(None)
        line.recv()
    line.send(neighbor.done)


class Echo:
    """A process that returns each message, at the same priority as the server."""

    def __init__(self) -> None:
        self._line, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(target=echo, args=(theirs,), daemon=True)
        process.start()
        self.round_trips()

    def round_trips(self) -> float:
        """Seconds for CONTROL_MESSAGES."""
        began = time.monotonic()
        for _ in range(CONTROL_MESSAGES):
            self._line.send_bytes(bytes(500))
            self._line.recv_bytes()
        return time.monotonic() - began


def echo(line: Connection) -> None:
    while True:
        line.send_bytes(line.recv_bytes())


def measure_slot(args: argparse.Namespace, victim: Victim, control: Echo) -> None:
    time.sleep(args.settle)
    for _ in range(args.rounds):
        victim.round()
        victim.times.setdefault(CONTROL, []).append(control.round_trips())


@contextmanager
def under_abuse(api: Api) -> Iterator[None]:
    """The tenant of `api` does its worst until the block ends."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=run_noisy_neighbor, args=(api.url, api.key, theirs), daemon=True
    )
    process.start()
    if not ours.poll(60):
        raise RuntimeError("the noisy neighbor did not start within a minute")
    ours.recv()
    try:
        yield
    finally:
        ours.send(None)
        print(f"beside {ours.recv() if ours.poll(60) else 'a noisy neighbor that had to be killed'}", flush=True)
        process.join(5)
        process.kill()


def measure(
    args: argparse.Namespace, database: str, postgres: Postgres | None, mock: LlMock
) -> dict[str, dict[str, list[float]]]:
    alone: Times = {}
    beside: Times = {}
    with deploy(database, postgres) as deployment:
        good = deployment.tenant("does-well")
        config = {"base_url": mock.base_url, "api_key": "sk-well", "models": ["gpt-4o-mini"]}
        good.create("ai_providers", {"name": "mock", "kind": "openai", "config": config})
        with Receiver() as receiver:
            warm = Victim(good, receiver, "mock/gpt-4o-mini")
            for _ in range(10):
                warm.round()
            control = Echo()
            for slot in range(args.slots):
                measure_slot(args, Victim(good, receiver, "mock/gpt-4o-mini", alone), control)
                with under_abuse(deployment.tenant(f"worst-{slot}")):
                    measure_slot(args, Victim(good, receiver, "mock/gpt-4o-mini", beside), control)
    return {"alone": alone, "beside": beside}


def main() -> int:
    args = arguments()
    results = {}
    with ExitStack() as stack:
        mock = stack.enter_context(LlMock())
        databases = args.databases.split(",")
        postgres = stack.enter_context(Postgres()) if "postgres" in databases else None
        for database in databases:
            results[database] = measure(args, database, postgres if database == "postgres" else None, mock)
    missed = []
    for database, both in results.items():
        print(f"\n{database}\n{figures(both['alone'], both['beside'])}")
        machine = quantile(both["beside"].pop(CONTROL), 0.99)
        for kind, slow in both["beside"].items():
            before, after = quantile(both["alone"][kind], 0.99), quantile(slow, 0.99)
            if after > AIM * max(before, machine):
                missed.append(f"{database}: {kind} {after / before:.1f} times, {after / machine:.1f} times the control")
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(results))
    if missed:
        print("beyond the aim: " + ", ".join(missed))
    return 1 if missed and args.require_aims else 0


if __name__ == "__main__":
    sys.exit(main())
