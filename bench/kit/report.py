"""The figures as Markdown, which reads well on a terminal too."""

from __future__ import annotations

from kit.results import Aim, Results, Spread

PEERS = ("nginx", "portkey", "litellm")


def significant(value: float | None) -> str:
    """Three significant digits, thousands in full."""
    if value is None:
        return "–"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.4f}"


def spread(value: Spread | None) -> str:
    if value is None:
        return "–"
    if value.least == value.greatest:
        return significant(value.median)
    return f"{significant(value.median)} ({significant(value.least)}–{significant(value.greatest)})"


def table(head: list[str], rows: list[list[str]], left: int = 1) -> str:
    """A Markdown table; the first `left` columns are text."""
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]

    def line(cells: list[str]) -> str:
        padded = (c.ljust(w) if at < left else c.rjust(w) for at, (c, w) in enumerate(zip(cells, widths, strict=False)))
        return "| " + " | ".join(padded) + " |"

    rule = "|" + "|".join("-" * (w + 2) if at < left else "-" * (w + 1) + ":" for at, w in enumerate(widths)) + "|"
    return "\n".join([line(head), rule, *(line(row) for row in rows)])


def scenario_table(results: Results, scenario: str) -> str:
    rows = []
    for subject in results.subjects():
        if not results.of(scenario, subject):
            continue
        rate, peak = results.rate(scenario, subject), results.peak_memory(scenario, subject)
        p50, p99 = (results.latency(scenario, subject, name) for name in ("p50", "p99"))
        rows.append(
            [
                subject,
                significant(rate.median if rate else None),
                significant(p50 / 1e3 if p50 else None),
                significant(p99 / 1e3 if p99 else None),
                significant(peak / 1e6 if peak else None),
                str(results.errors(scenario, subject)),
                *("1" if subject == peer else spread(results.ratio(scenario, subject, peer)) for peer in PEERS),
            ]
        )
    head = ["subject", "requests/s", "p50 ms", "p99 ms", "peak MB", "errors", *(f"rate / {peer}" for peer in PEERS)]
    return f"### {scenario}\n\n" + table(head, rows)


def aims_table(aims: list[Aim]) -> str:
    verdict = {True: "met", False: "**missed**", None: "not measured"}
    rows = [[aim.subject, aim.what, aim.wanted, spread(aim.found), verdict[aim.met]] for aim in aims]
    return table(["subject", "figure", "aim", "found", ""], rows, left=2)


def markdown(run: dict, results: Results, aims: list[Aim]) -> str:
    machine = run["machine"]
    parts = [
        "# Benchmark",
        f"{run['date']}, {machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB, Linux {machine['kernel']}. "
        f"Commit {run['commit'] or 'unknown'}. {run['rounds']} rounds of {run['seconds']:g} s after {run['warmup']:g} s of "
        "warm-up; load, upstream and subject share the machine. Load average at the beginning: "
        f"{machine['load_average']:.2f}.",
        "Versions: " + ", ".join(f"{name} {version}" for name, version in run["versions"].items() if version) + ".",
        "Figures are medians of the rounds; ratios are taken round by round, then (least–greatest).",
        *(scenario_table(results, scenario) for scenario in results.scenarios()),
    ]
    if run["idle_rss_bytes"]:
        rows = [[name, significant(rss / 1e6)] for name, rss in run["idle_rss_bytes"].items()]
        parts += ["### Memory after two calls, at rest", table(["subject", "MB"], rows)]
    if aims:
        parts += ["### Aims", aims_table(aims)]
    if run["ledger"]:
        rows = [
            [
                name,
                str(found["upstream_calls"]),
                ", ".join(f"{n} {state}" for state, n in found["states"].items()),
                found["disagreement"] or "agrees",
            ]
            for name, found in run["ledger"].items()
        ]
        parts += ["### Ledger", table(["subject", "served by the upstream", "in the ledger", ""], rows)]
    if run["faults"]:
        parts += ["### Faults", "\n".join(f"- {fault}" for fault in run["faults"])]
    return "\n\n".join(parts) + "\n"
