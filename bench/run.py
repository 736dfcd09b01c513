#!/usr/bin/env python3
"""Compares Loam with its peers on one machine in one run; called by `make bench`. README.md explains the output."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from kit.ledger import disagreement, ledger_count
from kit.measure import SCENARIOS, Scenario, probe, slot, start_times
from kit.processes import BenchError, Processes, free_port, say, wait_for
from kit.report import markdown, scenario_table
from kit.results import Results, aims
from kit.subjects import SUBJECTS, Loam, Setting, Subject

HERE = Path(__file__).resolve().parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target")) / "release"
CACHE = Path(os.environ.get("LOAM_CACHE") or Path.home() / ".cache/loam") / "bench"
# Subjects whose errors fail the run: a peer that can't keep up is a result, not an error.
MUST_NOT_FAIL = ("upstream", "nginx", "loam-sqlite", "loam-managed", "loam-recorded", "loam-postgres")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--subjects", default=",".join(SUBJECTS), help="which to measure, by comma")
    parser.add_argument("--scenarios", default="", help="only those whose name holds one of these words, by comma")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of a slot; slow peers get less")
    parser.add_argument("--warmup", type=float, default=1.0, help="seconds of load before each slot")
    parser.add_argument("--starts", type=int, default=5, help="how often Loam is restarted to time its first answer")
    parser.add_argument("--quick", action="store_true", help="one round of 1 s, 2 restarts: does it all work")
    parser.add_argument("--loam", type=Path, default=TARGET / "loam")
    parser.add_argument("--harness", type=Path, default=TARGET / "loam-bench")
    parser.add_argument("--output", type=Path, default=HERE / "results/latest.json")
    parser.add_argument("--markdown", type=Path, help="write the report there too")
    parser.add_argument("--require-aims", action="store_true", help="fail when an aim is missed")
    args = parser.parse_args()
    if args.quick:
        args.rounds, args.seconds, args.warmup, args.starts = 1, 1.0, 0.3, 2
    args.subjects = args.subjects.split(",")
    unknown = [name for name in args.subjects if name not in SUBJECTS]
    if unknown:
        parser.error(f"no subject named {', '.join(unknown)}: there are {', '.join(SUBJECTS)}")
    if args.rounds < 1 or args.seconds <= 0:
        parser.error("--rounds and --seconds must be above zero")
    words = args.scenarios.split(",")
    args.scenarios = [scenario for scenario in SCENARIOS if any(word in scenario.name for word in words)]
    if not args.scenarios:
        parser.error(f"no such scenario: there are {'; '.join(scenario.name for scenario in SCENARIOS)}")
    # Paths given by the user are relative to where they are, and the processes run elsewhere.
    args.loam, args.harness = args.loam.resolve(), args.harness.resolve()
    return args


def machine() -> dict:
    cpus = [
        line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
    ]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": cpus[0] if cpus else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(memory / 2**30),
        "kernel": platform.release(),
        "load_average": os.getloadavg()[0],
    }


def commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def start_upstream(setting: Setting) -> None:
    port = free_port()
    process = setting.processes.start("upstream", [setting.harness, "upstream", "--listen", f"127.0.0.1:{port}"])
    setting.upstream = f"http://127.0.0.1:{port}"
    wait_for(process, f"{setting.upstream}/count", seconds=10)


def start_subjects(setting: Setting, names: list[str], run: dict, served: dict[str, dict]) -> list[Subject]:
    subjects = []
    for name in names:
        say(f"starting {name}")
        subject = SUBJECTS[name](setting)
        subject.start()
        served[name] = probe(setting, subject)
        run["versions"][name] = subject.version()
        if served[name]["idle_rss_bytes"]:
            run["idle_rss_bytes"][name] = served[name]["idle_rss_bytes"]
        subjects.append(subject)
    return subjects


def rounds(setting: Setting, subjects: list[Subject], scenario: Scenario, args: argparse.Namespace) -> list[dict]:
    """Subjects take turns in each round, so that a machine that slows down slows all of them down."""
    slots = []
    for number in range(1, args.rounds + 1):
        for subject in subjects:
            found = {"round": number, **slot(setting, subject, scenario, args.seconds, args.warmup)}
            errors = f", errors: {found['errors']}" if found["errors"] else ""
            say(f"  round {number}  {subject.name:14} {found['requests_per_second']:9,.0f} requests/s{errors}")
            slots.append(found)
    return slots


def close_loam(setting: Setting, subject: Loam, served: dict, starts: int, run: dict) -> None:
    """Stops Loam, times its starts on what the load left, then holds its ledger against the upstream's count."""
    run["seconds_to_stop"][subject.name] = subject.stop()
    run["start_ms"][subject.name] = start_times(setting, subject, starts)
    states = ledger_count(subject)
    # Each timed start was followed by one call.
    calls, answered = served["upstream_calls"] + starts, served["completed"] + starts
    wrong = disagreement(states, calls, answered)
    run["ledger"][subject.name] = {"states": states, "upstream_calls": calls, "answered": answered, "disagreement": wrong}
    if wrong:
        run["faults"].append(f"{subject.name}: the ledger disagrees: {wrong}")


def measure(args: argparse.Namespace, folder: Path, run: dict) -> None:
    with Processes(folder) as processes:
        setting = Setting(processes, folder, CACHE, args.harness, args.loam, "")
        start_upstream(setting)
        served: dict[str, dict] = {}
        subjects = start_subjects(setting, args.subjects, run, served)
        for scenario in args.scenarios:
            say(f"{scenario.name}")
            run["slots"] += rounds(setting, subjects, scenario, args)
            say("\n" + scenario_table(Results(run["slots"]), scenario.name) + "\n")
        for found in run["slots"]:
            for count in ("upstream_calls", "completed"):
                served[found["subject"]][count] += found[count]
            if found["errors"] and found["subject"] in MUST_NOT_FAIL:
                run["faults"].append(f"{found['subject']}, {found['scenario']}, round {found['round']}: {found['errors']}")
        for subject in subjects:
            if isinstance(subject, Loam):
                close_loam(setting, subject, served[subject.name], args.starts, run)


def main() -> int:
    args = arguments()
    if not args.harness.is_file():
        raise BenchError(f"{args.harness} is missing: run cargo build --release --package loam-bench")
    run: dict = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
        "machine": machine(),
        "rounds": args.rounds,
        "seconds": args.seconds,
        "warmup": args.warmup,
        "versions": {},
        "idle_rss_bytes": {},
        "slots": [],
        "seconds_to_stop": {},
        "start_ms": {},
        "ledger": {},
        "faults": [],
    }
    with tempfile.TemporaryDirectory(prefix="loam-bench-") as folder:
        measure(args, Path(folder), run)
    results = Results(run["slots"])
    found = aims(results, run["idle_rss_bytes"], run["start_ms"])
    run["aims"] = [
        {
            "subject": aim.subject,
            "figure": aim.what,
            "aim": aim.wanted,
            "found": aim.found.median if aim.found else None,
            "met": aim.met,
        }
        for aim in found
    ]
    text = markdown(run, results, found)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(run, indent=1) + "\n")
    if args.markdown:
        args.markdown.write_text(text)
    print(text)
    missed = args.require_aims and any(aim.met is not True for aim in found)
    return 1 if run["faults"] or missed else 0


if __name__ == "__main__":
    # SIGTERM unwinds like Ctrl-C does, so that everything started is stopped; and a shell that starts this in the
    # background has SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with contextlib.suppress(BrokenPipeError):
        try:
            sys.exit(main())
        except BenchError as error:
            say(f"bench: {error}")
            sys.exit(1)
        except KeyboardInterrupt:
            say("bench: interrupted; everything started was stopped")
            sys.exit(130)
