"""One slot: a load on one subject, with its memory and CPU time, and rest afterwards."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass

from kit.processes import BenchError, Process, http
from kit.subjects import Loam, Setting, Subject


@dataclass(frozen=True)
class Scenario:
    name: str
    connections: int
    stream: bool = False
    body_bytes: int = 400


SCENARIOS = [
    *(Scenario(f"plain c={n}", n) for n in (1, 32, 256)),
    *(Scenario(f"streaming c={n}", n, stream=True) for n in (1, 32, 256)),
    Scenario("200 kB bodies c=32", 32, body_bytes=200_000),
]

# A subject counts as at rest below this share of one core.
REST_SHARE = 0.08
REST_LONGEST = 30.0


def usage(setting: Setting, pid: int, *, reset: bool = False) -> dict:
    """Memory and CPU time of a process and its descendants."""
    command = [setting.harness, "process", "--pid", str(pid), *(["--reset"] if reset else [])]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(f"can't read the memory of process {pid}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def upstream_calls(setting: Setting) -> int:
    """Chat completions and embeddings that the upstream has served so far."""
    return json.loads(http(f"{setting.upstream}/count"))["calls"]


def load(setting: Setting, subject: Subject, scenario: Scenario, flags: list[str]) -> dict:
    command = [
        setting.harness,
        "load",
        "--json",
        "--url",
        subject.url(scenario.stream),
        "--model",
        subject.model,
        "--connections",
        str(scenario.connections),
        "--body-bytes",
        str(scenario.body_bytes),
        *flags,
    ]
    if scenario.stream:
        command.append("--stream")
    for name, value in subject.headers.items():
        command += ["--header", f"{name}={value}"]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        # Its exit status only repeats what the report says about errors.
        return json.loads(done.stdout)
    except ValueError as error:
        raise BenchError(f"the load on {subject.name} failed: {done.stderr.strip()}") from error


def slot(setting: Setting, subject: Subject, scenario: Scenario, seconds: float, warmup: float) -> dict:
    """Measures `subject` once; what is returned goes into the results as it is."""
    pid = subject.process.pid if subject.process else None
    before = usage(setting, pid, reset=True) if pid else None
    calls = upstream_calls(setting)
    flags = ["--duration", str(min(seconds, subject.longest)), "--warmup", str(warmup), "--grace", "60"]
    report = load(setting, subject, scenario, flags)
    after = usage(setting, pid) if pid else None
    if subject.process:
        subject.process.check()
    rest = wait_for_rest(setting, subject)
    result = {
        "scenario": scenario.name,
        "subject": subject.name,
        "requests_per_second": report["requests_per_second"],
        "latency_us": report["latency_us"],
        "first_byte_us": report["first_byte_us"],
        "errors": report["errors"],
        "completed": report["completed"],
        "upstream_calls": upstream_calls(setting) - calls,
        "seconds_to_rest": rest,
    }
    if before and after:
        result["peak_rss_bytes"] = after["peak_rss_bytes"]
        result["rss_bytes"] = after["rss_bytes"]
        result["cpu_us_per_request"] = 1e6 * (after["cpu_seconds"] - before["cpu_seconds"]) / max(report["sent"], 1)
    return result


def wait_for_rest(setting: Setting, subject: Subject) -> float:
    """Until the subject no longer works off what the load left behind, so that the next one has the machine for itself.

    Returns the seconds it took."""
    begun, interval = time.monotonic(), 0.25
    spent = None
    while subject.busy_pids() and time.monotonic() - begun < REST_LONGEST:
        now = sum(usage(setting, pid)["cpu_seconds"] for pid in subject.busy_pids())
        if spent is not None and now - spent < REST_SHARE * interval:
            break
        spent = now
        time.sleep(interval)
    return max(time.monotonic() - begun - interval, 0.0) if subject.busy_pids() else 0.0


def probe(setting: Setting, subject: Subject) -> dict:
    """One plain and one streamed call: a subject that can't do these isn't measured. Returns its idle memory after them."""
    calls, completed = upstream_calls(setting), 0
    for scenario in (Scenario("probe", 1), Scenario("probe", 1, stream=True)):
        report = load(setting, subject, scenario, ["--requests", "1"])
        if report["errors"]:
            log = subject.process.tail() if subject.process else ""
            raise BenchError(f"{subject.name} does not answer rightly: {report['errors']}; its log ends:\n{log}")
        completed += report["completed"]
    wait_for_rest(setting, subject)
    idle = usage(setting, subject.process.pid)["rss_bytes"] if subject.process else None
    return {"idle_rss_bytes": idle, "completed": completed, "upstream_calls": upstream_calls(setting) - calls}


def start_times(setting: Setting, subject: Loam, times: int) -> list[float]:
    """Milliseconds from starting the process to its first healthy answer, on the database as the load left it."""
    found = []
    for _ in range(times):
        begun = time.perf_counter()
        subject.launch()
        found.append(1e3 * (first_answer(subject.process, f"{subject.base}/healthz") - begun))
        # A start that came up is also one that serves and stops cleanly.
        report = load(setting, subject, Scenario("probe", 1), ["--requests", "1"])
        if report["errors"]:
            raise BenchError(f"{subject.name} does not answer after a restart: {report['errors']}")
        subject.stop()
    return found


def first_answer(process: Process, url: str) -> float:
    end = time.perf_counter() + 60
    while time.perf_counter() < end:
        process.check()
        try:
            http(url, timeout=1)
            return time.perf_counter()
        except OSError:
            time.sleep(0.001)
    raise BenchError(f"no healthy answer from {process.name} within 60 s")
