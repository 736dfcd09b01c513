#!/usr/bin/env python3
"""Measures the console's pages in a real browser on a large data set: from a click in the navigation to the shown data.

It needs the Python of the tests, which has Playwright. README.md says how to read it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from kit.processes import Processes, free_port, say, wait_for
from run import HERE, TARGET, commit, machine

PASSWORD, KEY = "benchmark-password-1", "loam_benchmarkbenchmarkbenchmarkbenchmark"
AIM_MS = 300

# Counts the requests that are under way.
COUNT_REQUESTS = """() => {
  const fetch = window.fetch
  window.requestsUnderWay = 0
  window.fetch = async (...args) => {
    window.requestsUnderWay += 1
    try { return await fetch(...args) } finally { window.requestsUnderWay -= 1 }
  }
}"""

# From the click to the last frame in which something was still missing: the page's heading, an answer, or what is drawn of it.
# A page counts as settled when nothing was missing for a quarter of a second.
CLICK = """async ([path, limit]) => {
  const link = document.querySelector(`nav a[href="${path}"]`)
  const start = performance.now()
  performance.clearResourceTimings()
  link.click()
  const complete = () => location.pathname === path && document.querySelector('main h1') && window.requestsUnderWay === 0
    && !document.querySelector('main [role=status][aria-label]') && !document.querySelector('main [aria-busy=true]')
  let last = start
  for (let now = start; now - last < 250; now = performance.now()) {
    if (!complete()) last = now
    if (now - start > limit) return {ms: null, slowest: null}
    await new Promise(requestAnimationFrame)
  }
  const calls = performance.getEntriesByType('resource').filter((each) => each.name.includes('/api/'))
  calls.sort((a, b) => b.duration - a.duration)
  return {ms: last - start, slowest: calls[0] && {path: new URL(calls[0].name).pathname, ms: calls[0].duration}}
}"""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=2_000_000, help="of the sample; half as many model calls")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--loam", type=Path, default=TARGET / "loam")
    parser.add_argument("--output", type=Path, default=HERE / "results/console.json")
    parser.add_argument("--require-aims", action="store_true", help="fail when an aim is missed")
    parser.add_argument("--quick", action="store_true", help="a small set, one round: does it all work")
    args = parser.parse_args()
    if args.quick:
        args.messages, args.rounds = 4_000, 1
    return args


def main() -> int:
    args = arguments()
    loam = args.loam.resolve()
    with tempfile.TemporaryDirectory(prefix="loam-console-") as temporary, Processes(Path(temporary)) as processes:
        data, port = Path(temporary) / "data", free_port()
        base = f"http://127.0.0.1:{port}"
        environment = os.environ | {"LOAM_BOOTSTRAP_PASSWORD": PASSWORD, "LOAM_BOOTSTRAP_KEY": KEY}
        serve = [str(loam), "serve", "--listen", f"127.0.0.1:{port}", "--data", str(data)]
        first = processes.start("first", serve, env=environment)
        wait_for(first, f"{base}/readyz", seconds=60)
        processes.stop(first)
        began = time.monotonic()
        sample = [str(loam), "db", "sample", "--messages", str(args.messages), "--months", "12", "--data", str(data), "--json"]
        counts = json.loads(subprocess.run(sample, capture_output=True, text=True, check=True).stdout)
        say(f"sample in {time.monotonic() - began:.0f} s: {counts}")
        process = processes.start("loam", serve, env=environment)
        wait_for(process, f"{base}/readyz", seconds=300)
        program = shutil.which("chromium-headless-shell") or shutil.which("chromium")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            page = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce").new_page()
            page.add_init_script(f"({COUNT_REQUESTS})()")
            page.request.post(f"{base}/api/v1/login", data={"username": "operator", "password": PASSWORD})
            open_empty(page, base)
            hrefs = page.eval_on_selector_all("nav a", "links => links.map(link => link.getAttribute('href'))")
            slots: dict[str, list[dict]] = {path: [] for path in hrefs}
            for _ in range(args.rounds + 1):
                open_empty(page, base)
                for path in hrefs:
                    slots[path].append(page.evaluate(CLICK, [path, 30_000]))
            browser.close()
    # The first round loads the code of each page.
    lines = [line(path, rounds[0], rounds[1:]) for path, rounds in slots.items()]
    print(f"{'page':28}{'first':>8}{'median':>8}{'max':>8}  slowest request (ms)")
    for each in lines:
        slowest = each["slowest"] and f"{each['slowest']['path']} {each['slowest']['ms']:.0f}"
        print(f"{each['page']:28}{each['first']:8.0f}{each['median']:8.0f}{each['max']:8.0f}  {slowest or '-'}")
    missed = [each["page"] for each in lines if each["median"] > AIM_MS]
    print(f"aim: at most {AIM_MS} ms; missed by {', '.join(missed) or 'none'}")
    run = {"commit": commit(), "machine": machine(), "messages": args.messages, "rows": counts, "pages": lines}
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(run, indent=2))
    return 1 if missed and args.require_aims else 0


def open_empty(page: Page, base: str) -> None:
    """The console with nothing read yet: on a page that doesn't exist."""
    page.goto(f"{base}/console/none")
    page.get_by_role("navigation").get_by_role("link").first.wait_for()


def line(path: str, first: dict, rounds: list[dict]) -> dict:
    """The figures of a page, in milliseconds. One that never settled counts as infinitely slow."""
    times = [each["ms"] if each["ms"] is not None else float("inf") for each in rounds]
    slowest = max((each["slowest"] for each in rounds if each["slowest"]), key=lambda each: each["ms"], default=None)
    name = re.sub("^/console", "", path) or "/"
    return {
        "page": name,
        "first": first["ms"] if first["ms"] is not None else float("inf"),
        "median": statistics.median(times),
        "max": max(times),
        "slowest": slowest,
    }


if __name__ == "__main__":
    raise SystemExit(main())
