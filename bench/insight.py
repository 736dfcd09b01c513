#!/usr/bin/env python3
"""Measures insight: ingesting traces, compared with Arize Phoenix, and reading statistics with few and many stored records.

Every subject gets the same spans, as OTLP's protobuf over HTTP, from the same load generator. README.md says how to read it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kit import paired
from kit.measure import wait_for_rest
from kit.paired import DATABASES, Bench, compare
from kit.phoenix import Phoenix
from kit.processes import BenchError, Processes, http, say
from kit.subjects import Loam, LoamPostgres, Setting, Subject
from run import CACHE, HERE, TARGET, commit, machine, start_upstream

# Traces per request and calls per trace: about what an exporter sends in one request.
SHAPES = ("10x50", "1x500")
# Calls a second that are durable when they are answered, and how many times as many as Phoenix has in its database.
DURABLE, PEER = 100_000, 100
# The traces that are read of lie within these days.
DAYS = 27


@dataclass
class Sent:
    """What a load came to."""

    requests: int
    calls: int
    # calls a second within the slot
    rate: float
    p50: float
    p99: float


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", default="sqlite,postgres,phoenix", help="which, by comma (sqlite,postgres,phoenix)")
    parser.add_argument("--shapes", default=",".join(SHAPES), help="TRACESxCALLS of a request, by comma")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of a slot")
    parser.add_argument("--phoenix-calls", type=int, default=5_000, help="calls that Phoenix gets in a slot")
    parser.add_argument("--small", type=int, default=10_000, help="records stored in the small one")
    parser.add_argument("--large", type=int, default=500_000, help="records stored in the large one")
    parser.add_argument("--quick", action="store_true", help="small sets, one short round: does it all work")
    parser.add_argument("--loam", type=Path, default=TARGET / "loam")
    parser.add_argument("--harness", type=Path, default=TARGET / "loam-bench")
    parser.add_argument("--output", type=Path, default=HERE / "results/insight.json")
    parser.add_argument("--require-aims", action="store_true", help="fail when an aim is missed")
    args = parser.parse_args()
    if args.quick:
        args.small, args.large, args.rounds, args.seconds, args.phoenix_calls = 500, 2_000, 1, 0.5, 500
    args.subjects, args.shapes = args.subjects.split(","), args.shapes.split(",")
    unknown = [name for name in args.subjects if name not in (*DATABASES, "phoenix")]
    if unknown:
        parser.error(f"no subject named {', '.join(unknown)}: there are {', '.join(DATABASES)} and phoenix")
    if min(args.rounds, args.small, args.large, args.connections, args.phoenix_calls) < 1 or args.seconds <= 0:
        parser.error("every size, --rounds, --connections and --seconds must be above zero")
    args.loam, args.harness = args.loam.resolve(), args.harness.resolve()
    return args


def send(subject: Subject, url: str, shape: str, connections: int, *, spread: int = 0, **limit: float) -> Sent:
    """Traces of a shape, for `seconds` seconds or `requests` requests; each must be accepted."""
    command = [subject.setting.harness, "load", "--json", "--url", url, "--traces", shape, "--grace", "120"]
    command += ["--connections", str(connections), "--spread", str(spread)]
    if "requests" in limit:
        command += ["--requests", str(int(limit["requests"]))]
    else:
        command += ["--duration", str(limit["seconds"]), "--warmup", "0"]
    for name, value in subject.headers.items():
        command += ["--header", f"{name}={value}"]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        report = json.loads(done.stdout)
    except ValueError as error:
        raise BenchError(f"the load on {subject.name} failed: {done.stderr.strip()}") from error
    if report["errors"] or not report["completed"]:
        raise BenchError(f"{subject.name}: wrong answers: {report['errors']}; its log ends:\n{subject.process.tail()}")
    traces, calls = map(int, shape.split("x"))
    latency = report["latency_us"]
    requests, rate = report["completed"], report["requests_per_second"]
    return Sent(requests, requests * traces * calls, rate * traces * calls, latency["p50"], latency["p99"])


class Watched:
    """A Loam with an application that sends traces."""

    def __init__(self, setting: Setting, database: str, name: str):
        folder = setting.folder / name
        folder.mkdir()
        own = Setting(setting.processes, folder, setting.cache, setting.harness, setting.loam, setting.upstream)
        self.database = database
        self.loam: Loam = DATABASES[database](own)
        self.loam.start()
        self.bench = Bench(database, self.loam)
        self.reader = dict(self.loam.headers)
        self.project = self.bench.make("projects", {"name": "shop", "framework": "fastapi"})
        self.sender = {"authorization": f"Bearer {self.project['ingest_key']}"}

    def send(self, shape: str, connections: int, **limit: float) -> Sent:
        self.loam.headers = self.sender
        try:
            return send(self.loam, f"{self.loam.base}/v1/traces", shape, connections, **limit)
        finally:
            self.loam.headers = self.reader

    def records(self) -> int:
        """Records that statistics know of."""
        since, until = datetime.now(UTC) - timedelta(days=DAYS + 2), datetime.now(UTC) + timedelta(hours=1)
        page = self.bench.get(
            "endpoint_stats",
            project_id=self.project["id"],
            **{"from": since.isoformat(), "to": until.isoformat()},
            limit=200,
        )
        return sum(row["requests"] for row in page["data"])

    def wait_for_records(self, count: int, seconds: float = 600) -> None:
        end = time.monotonic() + seconds
        while (there := self.records()) < count:
            if time.monotonic() > end:
                raise BenchError(f"{self.database}: {there} of {count} records after {seconds:.0f} s")
            time.sleep(0.05)
        if there != count:
            raise BenchError(f"{self.database}: {there} records, but {count} were sent")

    def bytes(self) -> int:
        """What the database takes on disk."""
        if isinstance(self.loam, LoamPostgres):
            return int(self.loam.server.query("select pg_database_size(current_database())"))
        file = self.loam.data / "loam.db"
        database = sqlite3.connect(file, timeout=30)
        try:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            database.close()
        return file.stat().st_size

    def stop(self) -> None:
        self.loam.stop()
        if isinstance(self.loam, LoamPostgres) and self.loam.server:
            self.loam.server.stop()


def take_in(setting: Setting, database: str, args: argparse.Namespace) -> list[dict]:
    """Calls a second: durable when they are answered, and until all are visible."""
    found = []
    for shape in args.shapes:
        watched = Watched(setting, database, f"{database}-{shape}")
        traces, _ = map(int, shape.split("x"))
        watched.send(shape, 1, requests=3)
        records, rounds = 3 * traces, []
        watched.wait_for_records(records)
        before, calls = watched.bytes(), 0
        for _ in range(args.rounds):
            begun = time.monotonic()
            sent = watched.send(shape, args.connections, seconds=args.seconds)
            durable = time.monotonic() - begun
            records += sent.requests * traces
            watched.wait_for_records(records)
            visible = time.monotonic() - begun
            calls += sent.calls
            rounds.append({"durable": sent.rate, "visible": sent.calls / visible, "behind": visible - durable})
            rounds[-1] |= {"p50": sent.p50, "p99": sent.p99}
        line = {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}
        line["bytes"] = (watched.bytes() - before) / calls
        watched.stop()
        found.append({"subject": f"loam-{database}", "shape": shape, "calls": calls, "rounds": rounds, **line})
        say(
            f"loam-{database} {shape}: {line['durable']:,.0f} calls/s durable, {line['visible']:,.0f} visible, "
            f"{line['bytes']:.0f} bytes a call"
        )
    return found


def take_in_phoenix(setting: Setting, args: argparse.Namespace) -> list[dict]:
    """The same spans, counted when they are in its database."""
    phoenix = Phoenix(setting)
    phoenix.start()
    found, there = [], 0
    for shape in args.shapes:
        traces, calls = map(int, shape.split("x"))
        requests, rounds = max(1, args.phoenix_calls // (traces * calls)), []
        there += send(phoenix, f"{phoenix.base}/v1/traces", shape, 1, requests=1).calls
        phoenix.wait_for_spans(there, 600)
        before, sum_of_calls = phoenix.bytes(), 0
        for _ in range(args.rounds):
            begun = time.monotonic()
            sent = send(phoenix, f"{phoenix.base}/v1/traces", shape, args.connections, requests=requests)
            there += sent.calls
            sum_of_calls += sent.calls
            phoenix.wait_for_spans(there, 600)
            rounds.append({"visible": sent.calls / (time.monotonic() - begun)})
        rate = statistics.median(each["visible"] for each in rounds)
        size = (phoenix.bytes() - before) / sum_of_calls
        found.append(
            {"subject": "phoenix", "shape": shape, "calls": sum_of_calls, "visible": rate, "bytes": size, "rounds": rounds}
        )
        say(f"phoenix {shape}: {rate:,.0f} calls/s in its database, {size:.0f} bytes a call")
    setting.processes.stop(phoenix.process, patience=60)
    return found


def fill(setting: Setting, database: str, records: int) -> Bench:
    """A Loam with the given number of records of the last weeks, and the requests to it."""
    watched = Watched(setting, database, f"{database}-{records}-records")
    begun = time.monotonic()
    watched.send("10x10", 4, requests=records // 10, spread=DAYS * 86_400)
    watched.wait_for_records(records // 10 * 10, seconds=3_600)
    say(f"{database}: {records:,} records in {time.monotonic() - begun:.0f} s")
    # or the database is still putting away what was written
    wait_for_rest(setting, watched.loam)
    since, until = datetime.now(UTC) - timedelta(days=DAYS), datetime.now(UTC)
    span = f"project_id={watched.project['id']}&from={since:%Y-%m-%dT%H:%M:%SZ}&to={until:%Y-%m-%dT%H:%M:%SZ}"
    paths = {
        "endpoints": f"/api/v1/endpoint_stats?{span}",
        "p95 trend": f"/api/v1/endpoint_stats/trend?{span}&endpoint=GET%20/api/shops/%7Bshop%7D/things3",
        "records": f"/api/v1/performance_records?project_id={watched.project['id']}&limit=50",
    }
    for name, path in paths.items():
        http(watched.loam.base + path, headers=watched.loam.headers)
        file = watched.loam.setting.folder / f"{name}.jsonl"
        file.write_text(json.dumps({"method": "GET", "path": path}) + "\n")
        watched.bench.files[name] = file
    return watched.bench


def aims(run: dict) -> list[str]:
    """The aims that were missed, in words."""
    missed = []
    peers = {line["shape"]: line["visible"] for line in run["intake"] if line["subject"] == "phoenix"}
    for line in run["intake"]:
        name = f"{line['subject']}, {line['shape']}"
        if line["subject"] == "phoenix":
            continue
        if line["durable"] < DURABLE:
            missed.append(f"{name}: {line['durable']:,.0f} calls a second durable, aim {DURABLE:,}")
        peer = peers.get(line["shape"])
        if peer and line["visible"] < PEER * peer:
            missed.append(f"{name}: {line['visible'] / peer:.0f} times Phoenix, aim {PEER}")
    return missed + [words for line in run["reading"] for words in paired.missed(line)]


def table(run: dict) -> str:
    peers = {line["shape"]: line["visible"] for line in run["intake"] if line["subject"] == "phoenix"}
    rows = [
        "| subject | request | calls/s durable | calls/s visible | visible / Phoenix | p99 of an answer | bytes a call |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for line in run["intake"]:
        durable = f"{line['durable']:,.0f}" if "durable" in line else "–"
        p99 = f"{line['p99'] / 1000:.1f} ms" if "p99" in line else "–"
        peer = peers.get(line["shape"])
        times = f"{line['visible'] / peer:,.0f}" if peer else "–"
        cells = [line["subject"], line["shape"], durable, f"{line['visible']:,.0f}", times, p99, f"{line['bytes']:,.0f}"]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join([*rows, "", *paired.table(run["reading"])])


def measure(args: argparse.Namespace, folder: Path, run: dict) -> None:
    # below it are the folders of PostgreSQL, which under root runs as another user
    folder.chmod(0o755)
    with Processes(folder) as processes:
        setting = Setting(processes, folder, CACHE, args.harness, args.loam, "")
        start_upstream(setting)
        if "phoenix" in args.subjects:
            run["intake"] += take_in_phoenix(setting, args)
        for database in (name for name in args.subjects if name in DATABASES):
            run["intake"] += take_in(setting, database, args)
            small, large = (fill(setting, database, size) for size in (args.small, args.large))
            run["reading"] += compare(small, large, args.rounds, args.seconds)
            for bench in (small, large):
                bench.loam.stop()
                if isinstance(bench.loam, LoamPostgres) and bench.loam.server:
                    bench.loam.server.stop()


def main() -> int:
    args = arguments()
    for program in (args.harness, args.loam):
        if not program.is_file():
            raise BenchError(f"{program} is missing: run make dist")
    run: dict = {"commit": commit(), "machine": machine(), "intake": [], "reading": []}
    with tempfile.TemporaryDirectory(prefix="loam-bench-") as folder:
        measure(args, Path(folder), run)
    run["missed"] = aims(run)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(run, indent=1) + "\n")
    print(table(run))
    for line in run["missed"]:
        print(f"missed: {line}")
    return 1 if args.require_aims and run["missed"] else 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    with contextlib.suppress(BrokenPipeError):
        try:
            sys.exit(main())
        except BenchError as error:
            say(f"bench: {error}")
            sys.exit(1)
        except KeyboardInterrupt:
            say("bench: interrupted; everything started was stopped")
            sys.exit(130)
