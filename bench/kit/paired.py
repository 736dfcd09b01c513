"""A small and a large data set side by side: the same requests go to both in turn, so that what is compared is the same work
on the same machine in the same minute."""

from __future__ import annotations

import itertools
import json
import statistics
import subprocess
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

from kit.processes import BenchError, http, say
from kit.subjects import Loam, LoamPostgres

DATABASES: dict[str, type[Loam]] = {"sqlite": Loam, "postgres": LoamPostgres}
# The aims of the reading: how much slower the large one may be, and the slowest of a hundred, in microseconds.
RATIO, P99_US = 4 / 3, 5_000


@dataclass
class Bench:
    """A Loam with its own data set, and the requests to it: files of requests by name."""

    database: str
    loam: Loam
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


def compare(small: Bench, large: Bench, rounds: int, seconds: float) -> list[dict]:
    """Small and large take turns, so that a machine that slows down slows both."""
    found = []
    for what, connections in itertools.product(small.files, (1, 8)):
        found_in = []
        for _ in range(rounds):
            reports = [load(bench, bench.files[what], connections, seconds) for bench in (small, large)]
            found_in.append([report["latency_us"] | {"rate": report["requests_per_second"]} for report in reports])
        middle = {
            key: [statistics.median(each[place][key] for each in found_in) for place in (0, 1)] for key in ("p50", "p99", "rate")
        }
        ratios = [each[1]["p50"] / each[0]["p50"] for each in found_in]
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


def missed(line: dict) -> list[str]:
    """The aims that a line of a comparison misses, in words."""
    name, found = f"{line['database']}, {line['what']}, c={line['connections']}", []
    if line["ratio"] > RATIO:
        found.append(f"{name}: {line['ratio']:.2f} times the time of the small one, aim {RATIO:.2f}")
    if line["p99_large"] > P99_US:
        found.append(f"{name}: p99 {line['p99_large']:,.0f} µs, aim {P99_US:,}")
    return found


def table(lines: list[dict]) -> list[str]:
    """The comparison in Markdown."""
    rows = [
        "| database | what | connections | p50 small | p50 large | p99 small | p99 large | ratio |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for line in lines:
        cells = [f"{line[key] / 1000:.2f} ms" for key in ("p50_small", "p50_large", "p99_small", "p99_large")]
        rows.append(
            f"| {line['database']} | {line['what']} | {line['connections']} | {' | '.join(cells)} | {line['ratio']:.2f} |"
        )
    return rows
