#!/usr/bin/env python3
"""Measures conversations: reading them while few and many messages are stored, turns, and bringing histories in.

Each database has its own Loam twice, with a small and with a large data set of `loam db sample`, and the same requests
go to both in turn: what is compared is the same work on the same machine in the same minute. README.md says how to read it.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from kit.processes import BenchError, Processes, http, wait_for
from kit.subjects import Loam, LoamPostgres, Setting
from run import CACHE, HERE, TARGET, commit, machine, say, start_upstream

DATABASES: dict[str, type[Loam]] = {"sqlite": Loam, "postgres": LoamPostgres}
# Sessions, or users, whose pages are asked for in turn, and among how many that were active last they are looked for: the
# longest, so that a page is full whether much or little is stored.
TARGETS, AMONG = 16, 8_000
# What no cache keeps: the same page, asked for with a filter that everything passes.
UNCACHED = "&created_after=2000-01-01T00:00:00Z"
# The aims of the reading: how much slower the large one may be, and the slowest of a hundred, in microseconds.
RATIO, P99_US = 4 / 3, 5_000


@dataclass
class Bench:
    """A Loam on a data set of its own."""

    database: str
    messages: int
    loam: Loam
    sample: dict = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)

    def cli(self, *words: str) -> dict:
        """A command on its data; its answer as JSON."""
        where = ["--data", self.loam.data, *self.loam.database()]
        done = subprocess.run([self.loam.setting.loam, *words, "--json", *where], capture_output=True, text=True)
        if done.returncode != 0:
            raise BenchError(f"loam {' '.join(map(str, words))}: {done.stderr.strip()[-2000:]}")
        return json.loads(done.stdout or "null")

    def get(self, path: str, **params: object) -> dict:
        query = urllib.parse.urlencode(params)
        return json.loads(http(f"{self.loam.base}/api/v1/{path}?{query}", headers=self.loam.headers, timeout=60))

    def make(self, collection: str, body: dict) -> dict:
        headers = {**self.loam.headers, "content-type": "application/json"}
        return json.loads(http(f"{self.loam.base}/api/v1/{collection}", data=json.dumps(body).encode(), headers=headers))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--databases", default=",".join(DATABASES), help="which, by comma (sqlite,postgres)")
    parser.add_argument("--small", type=int, default=10_000, help="messages stored in the small one")
    parser.add_argument("--large", type=int, default=5_000_000, help="messages stored in the large one")
    parser.add_argument("--imported", type=int, default=200_000, help="messages of the history that is brought in")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a slot")
    parser.add_argument("--quick", action="store_true", help="small sets, one short round: does it all work")
    parser.add_argument("--loam", type=Path, default=TARGET / "loam")
    parser.add_argument("--harness", type=Path, default=TARGET / "loam-bench")
    parser.add_argument("--output", type=Path, default=HERE / "results/conversation.json")
    parser.add_argument("--require-aims", action="store_true", help="fail when an aim is missed")
    args = parser.parse_args()
    if args.quick:
        args.small, args.large, args.imported, args.rounds, args.seconds = 1_000, 4_000, 3_000, 1, 0.5
    args.databases = args.databases.split(",")
    unknown = [name for name in args.databases if name not in DATABASES]
    if unknown:
        parser.error(f"no database named {', '.join(unknown)}: there are {', '.join(DATABASES)}")
    if min(args.rounds, args.small, args.large, args.imported) < 1 or args.seconds <= 0:
        parser.error("every size, --rounds and --seconds must be above zero")
    args.loam, args.harness = args.loam.resolve(), args.harness.resolve()
    return args


def prepare(setting: Setting, database: str, messages: int) -> Bench:
    """Starts a Loam, stops it, fills its database as an operator would, and starts it again."""
    # A folder for each: two clusters, two data folders.
    folder = setting.folder / f"{database}-{messages}"
    folder.mkdir()
    own = Setting(setting.processes, folder, setting.cache, setting.harness, setting.loam, setting.upstream)
    bench = Bench(database, messages, DATABASES[database](own))
    bench.loam.start()
    bench.loam.stop()
    bench.sample = bench.cli("db", "sample", "--messages", str(messages), "--months", "12")
    rows = sum(bench.sample[what] for what in ("users", "sessions", "turns", "messages", "llm_calls", "tool_calls"))
    bench.sample["rows_per_second"] = rows / bench.sample["seconds"]
    say(f"{database}: {messages:,} messages in {bench.sample['seconds']:.0f} s ({bench.sample['rows_per_second']:,.0f} rows/s)")
    bench.loam.launch()
    wait_for(bench.loam.process, f"{bench.loam.base}/readyz", seconds=120)
    write_reads(bench)
    return bench


def pages(bench: Bench, collection: str, limit: int, **params: object) -> list[dict]:
    rows, cursor = [], {}
    while len(rows) < limit:
        page = bench.get(collection, limit=200, **params, **cursor)
        rows += page["data"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    return rows[:limit]


def write_reads(bench: Bench) -> None:
    """The requests of the reading: from the cache where there is one, and from the database in any case."""
    sessions = pages(bench, "chat_sessions", AMONG)
    longest = sorted(sessions, key=lambda each: each["message_count"])[-TARGETS:]
    talkative = Counter(each["user_id"] for each in sessions).most_common(TARGETS)
    paths = {
        "messages": [f"/api/v1/messages?session_id={each['id']}&limit=50" for each in longest],
        "sessions": [f"/api/v1/chat_sessions?user_id={user}&limit=20" for user, _ in talkative],
    }
    for name in list(paths):
        paths[f"{name}, uncached"] = [path + UNCACHED for path in paths[name]]
    for name, some in paths.items():
        file = bench.loam.setting.folder / f"{name}.jsonl"
        file.write_text("".join(json.dumps({"method": "GET", "path": path}) + "\n" for path in some))
        bench.files[name] = file


def load(bench: Bench, file: Path, connections: int, seconds: float, *, expect: str = "", requests: int | None = None) -> dict:
    """Requests of a file in turn; every answer must be a good one."""
    command = [bench.loam.setting.harness, "load", "--json", "--url", f"{bench.loam.base}/", "--requests-from", file]
    command += ["--connections", str(connections), "--expect", expect, "--grace", "60"]
    command += ["--requests", str(requests)] if requests else ["--duration", str(seconds), "--warmup", str(min(seconds, 1.0))]
    for name, value in bench.loam.headers.items():
        command += ["--header", f"{name}={value}"]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        report = json.loads(done.stdout)
    except ValueError as error:
        raise BenchError(f"the load on {bench.database} failed: {done.stderr.strip()}") from error
    if report["errors"] or not report["completed"]:
        log = bench.loam.process.tail()
        raise BenchError(f"{bench.database}, {file.stem}: wrong answers: {report['errors']}; its log ends:\n{log}")
    return report


def read(small: Bench, large: Bench, args: argparse.Namespace) -> list[dict]:
    """Small and large take turns, so that a machine that slows down slows both."""
    found = []
    for what, connections in itertools.product(small.files, (1, 8)):
        rounds = []
        for _ in range(args.rounds):
            reports = [load(bench, bench.files[what], connections, args.seconds) for bench in (small, large)]
            rounds.append([report["latency_us"] | {"rate": report["requests_per_second"]} for report in reports])
        middle = {
            key: [statistics.median(each[place][key] for each in rounds) for place in (0, 1)] for key in ("p50", "p99", "rate")
        }
        ratios = [each[1]["p50"] / each[0]["p50"] for each in rounds]
        found.append(
            {
                "database": small.database,
                "what": what,
                "connections": connections,
                **{
                    f"{key}_{size}": value[place]
                    for key, value in middle.items()
                    for place, size in enumerate(("small", "large"))
                },
                "ratio": statistics.median(ratios),
                "ratios": ratios,
            }
        )
        line = found[-1]
        say(
            f"  {what} c={connections}: p50 {line['p50_small']:,.0f} → {line['p50_large']:,.0f} µs, "
            f"p99 {line['p99_large']:,.0f} µs, ratio {line['ratio']:.2f}"
        )
    return found


def turns(bench: Bench, args: argparse.Namespace) -> list[dict]:
    """Turns a second with the mock upstream: each connection in sessions of its own, as turns of one session wait."""
    found = []
    for streamed, connections in itertools.product((False, True), (1, 8)):
        sessions = [
            bench.make("chat_sessions", {"title": "bench", "model": "mock/mock-model"})["id"] for _ in range(64 * connections)
        ]
        body = {"content": "measure the harvest of the northern field", "stream": streamed}
        requests = [{"method": "POST", "path": f"/api/v1/chat_sessions/{each}/turns", "body": body} for each in sessions]
        file = bench.loam.setting.folder / f"turns-{streamed}-{connections}.jsonl"
        file.write_text("".join(json.dumps(request) + "\n" for request in requests))
        # a stream has ended well when its last event says so
        report = load(bench, file, connections, args.seconds, expect="completed")
        name = "streamed" if streamed else "plain"
        found.append(
            {
                "database": bench.database,
                "what": name,
                "connections": connections,
                "turns_per_second": report["requests_per_second"],
                "p50": report["latency_us"]["p50"],
                "p99": report["latency_us"]["p99"],
            }
        )
        say(f"  turns, {name}, c={connections}: {report['requests_per_second']:,.0f} a second")
    return found


def history(folder: Path, messages: int) -> Path:
    """JSON Lines of conversations of twenty messages over three months, long past."""
    file = folder / "history.jsonl"
    with file.open("w") as out:
        for number in range((messages + 19) // 20):
            month, day = 1 + number % 3, 1 + number % 28
            session = f"bench-{number}"
            line = {"type": "session", "external_id": session, "title": f"history {number}"}
            out.write(json.dumps(line | {"created_at": f"2025-{month:02}-{day:02}T08:00:00Z"}) + "\n")
            for turn in range(min(20, messages - 20 * number)):
                role = "assistant" if turn % 2 else "user"
                text = f"message {turn} of conversation {number}: the north field gave more barley than the south one this year"
                at = f"2025-{month:02}-{day:02}T08:{turn:02}:00Z"
                message = {"type": "message", "session": session, "role": role, "content": text, "created_at": at}
                out.write(json.dumps(message) + "\n")
    return file


def bring_in(bench: Bench, args: argparse.Namespace) -> list[dict]:
    """The same history through the API and on the command line, each into a tenant of its own."""
    file = history(bench.loam.setting.folder, args.imported)
    tenant = bench.make("tenants", {"slug": "imported-by-api", "name": "Imported"})
    headers = {"authorization": f"Bearer {tenant['api_key']['key']}", "content-type": "application/x-ndjson"}
    begun = time.perf_counter()
    url = f"{bench.loam.base}/api/v1/chat_sessions/import?mode=resumable"
    answer = json.loads(http(url, data=file.read_bytes(), headers=headers, timeout=600))
    through_api = time.perf_counter() - begun
    bench.make("tenants", {"slug": "imported-by-cli", "name": "Imported"})
    begun = time.perf_counter()
    told = bench.cli("session", "import", "--tenant", "imported-by-cli", "--resumable", str(file))
    by_command = time.perf_counter() - begun
    found = []
    for way, seconds, count in (("api", through_api, answer), ("command line", by_command, told)):
        if count["messages"] != args.imported:
            raise BenchError(f"{way}: {count['messages']} of {args.imported} messages were brought in")
        found.append({"database": bench.database, "way": way, "messages_per_second": args.imported / seconds})
        say(f"  import, {way}: {args.imported / seconds:,.0f} messages a second")
    return found


def aims(run: dict) -> list[str]:
    """The aims that were missed, in words."""
    missed = []
    for line in run["reading"]:
        name = f"{line['database']}, {line['what']}, c={line['connections']}"
        if line["ratio"] > RATIO:
            missed.append(f"{name}: {line['ratio']:.2f} times the time of the small one, aim {RATIO:.2f}")
        if line["p99_large"] > P99_US:
            missed.append(f"{name}: p99 {line['p99_large']:,.0f} µs, aim {P99_US:,}")
    return missed


def table(run: dict) -> str:
    rows = [
        "| database | what | connections | p50 small | p50 large | p99 small | p99 large | ratio |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for line in run["reading"]:
        cells = [f"{line[key] / 1000:.2f} ms" for key in ("p50_small", "p50_large", "p99_small", "p99_large")]
        rows.append(
            f"| {line['database']} | {line['what']} | {line['connections']} | {' | '.join(cells)} | {line['ratio']:.2f} |"
        )
    rows += ["", "| database | turns | connections | a second | p99 |", "|---|---|--:|--:|--:|"]
    for line in run["turns"]:
        cells = f"{line['connections']} | {line['turns_per_second']:,.0f} | {line['p99'] / 1000:.1f} ms"
        rows.append(f"| {line['database']} | {line['what']} | {cells} |")
    rows += ["", "| database | brought in | messages a second |", "|---|---|--:|"]
    rows += [f"| {each['database']} | {each['way']} | {each['messages_per_second']:,.0f} |" for each in run["imports"]]
    rows += ["", "| database | sampled messages | rows a second |", "|---|--:|--:|"]
    rows += [f"| {each['database']} | {each['messages']:,} | {each['rows_per_second']:,.0f} |" for each in run["samples"]]
    return "\n".join(rows)


def measure(args: argparse.Namespace, folder: Path, run: dict) -> None:
    # below it are the folders of PostgreSQL, which under root runs as somebody else
    folder.chmod(0o755)
    with Processes(folder) as processes:
        setting = Setting(processes, folder, CACHE, args.harness, args.loam, "")
        start_upstream(setting)
        for database in args.databases:
            small, large = (prepare(setting, database, size) for size in (args.small, args.large))
            for bench in (small, large):
                run["samples"].append({"database": database, **bench.sample})
            run["reading"] += read(small, large, args)
            run["imports"] += bring_in(small, args)
            run["turns"] += turns(small, args)
            for bench in (small, large):
                bench.loam.stop()
                if isinstance(bench.loam, LoamPostgres) and bench.loam.server:
                    bench.loam.server.stop()


def main() -> int:
    args = arguments()
    for program in (args.harness, args.loam):
        if not program.is_file():
            raise BenchError(f"{program} is missing: run make bench, which builds it")
    run: dict = {"commit": commit(), "machine": machine(), "small": args.small, "large": args.large}
    run |= {"samples": [], "reading": [], "turns": [], "imports": []}
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
