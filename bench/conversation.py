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
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from kit import paired
from kit.paired import DATABASES, Bench, compare, load
from kit.processes import BenchError, Processes, http, say, wait_for
from kit.subjects import LoamPostgres, Setting
from run import CACHE, HERE, TARGET, commit, machine, start_upstream

# Sessions, or users, whose pages are asked for in turn, and among how many that were active last they are looked for: the
# longest, so that a page is full whether much or little is stored.
TARGETS, AMONG = 16, 8_000
# Not cacheable: the same page, with a filter that everything passes.
UNCACHED = "&created_after=2000-01-01T00:00:00Z"


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


def prepare(setting: Setting, database: str, messages: int, run: dict) -> Bench:
    """Starts a Loam, stops it, fills its database as an operator would, and starts it again."""
    # A folder for each: two clusters, two data folders.
    folder = setting.folder / f"{database}-{messages}"
    folder.mkdir()
    own = Setting(setting.processes, folder, setting.cache, setting.harness, setting.loam, setting.upstream)
    bench = Bench(database, DATABASES[database](own))
    bench.loam.start()
    bench.loam.stop()
    sample = bench.cli("db", "sample", "--messages", str(messages), "--months", "12")
    rows = sum(sample[what] for what in ("users", "sessions", "turns", "messages", "llm_calls", "tool_calls"))
    sample["rows_per_second"] = rows / sample["seconds"]
    run["samples"].append({"database": database, **sample})
    say(f"{database}: {messages:,} messages in {sample['seconds']:.0f} s ({sample['rows_per_second']:,.0f} rows/s)")
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


def turns(bench: Bench, args: argparse.Namespace) -> list[dict]:
    """Turns per second with the mock upstream: each connection uses its own sessions, as turns of one session are queued."""
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
    """The same history through the API and on the command line, each into its own tenant."""
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
    return [words for line in run["reading"] for words in paired.missed(line)]


def table(run: dict) -> str:
    rows = paired.table(run["reading"])
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
    # below it are the folders of PostgreSQL, which under root runs as another user
    folder.chmod(0o755)
    with Processes(folder) as processes:
        setting = Setting(processes, folder, CACHE, args.harness, args.loam, "")
        start_upstream(setting)
        for database in args.databases:
            small, large = (prepare(setting, database, size, run) for size in (args.small, args.large))
            run["reading"] += compare(small, large, args.rounds, args.seconds)
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
