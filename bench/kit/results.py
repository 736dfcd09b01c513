"""From slots to figures: medians, ratios round by round, and the aims."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

LOAM = ("loam-sqlite", "loam-postgres")


@dataclass(frozen=True)
class Spread:
    """A median over rounds, with the least and the greatest."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: list[float]) -> Spread | None:
        return cls(median(values), min(values), max(values)) if values else None


class Results:
    """The slots of a run, by scenario, subject and round."""

    def __init__(self, slots: list[dict]):
        self.slots = slots

    def of(self, scenario: str, subject: str) -> dict[int, dict]:
        """The slots of one subject in one scenario, by round."""
        return {slot["round"]: slot for slot in self.slots if slot["scenario"] == scenario and slot["subject"] == subject}

    def scenarios(self) -> list[str]:
        return list(dict.fromkeys(slot["scenario"] for slot in self.slots))

    def subjects(self) -> list[str]:
        return list(dict.fromkeys(slot["subject"] for slot in self.slots))

    def rate(self, scenario: str, subject: str) -> Spread | None:
        return Spread.of([slot["requests_per_second"] for slot in self.of(scenario, subject).values()])

    def latency(self, scenario: str, subject: str, percentile: str) -> float | None:
        """Microseconds; the median of the rounds."""
        found = [slot["latency_us"] for slot in self.of(scenario, subject).values()]
        found = [latency[percentile] for latency in found if latency]
        return median(found) if found else None

    def peak_memory(self, scenario: str, subject: str) -> int | None:
        """Bytes; the greatest of the rounds."""
        return max((slot.get("peak_rss_bytes", 0) for slot in self.of(scenario, subject).values()), default=0) or None

    def errors(self, scenario: str, subject: str) -> int:
        return sum(sum(slot["errors"].values()) for slot in self.of(scenario, subject).values())

    def ratio(self, scenario: str, subject: str, peer: str) -> Spread | None:
        """Requests a second as a share of the peer's in the same round.

        A peer that served nothing in a round gives no ratio for it."""
        mine, theirs = self.of(scenario, subject), self.of(scenario, peer)
        return Spread.of(
            [
                slot["requests_per_second"] / theirs[number]["requests_per_second"]
                for number, slot in mine.items()
                if number in theirs and theirs[number]["requests_per_second"] > 0
            ]
        )

    def added_p50(self, scenario: str, subject: str) -> Spread | None:
        """Milliseconds of p50 above the upstream alone in the same round."""
        mine, alone = self.of(scenario, subject), self.of(scenario, "upstream")
        return Spread.of(
            [
                (slot["latency_us"]["p50"] - alone[number]["latency_us"]["p50"]) / 1e3
                for number, slot in mine.items()
                if number in alone and slot["latency_us"] and alone[number]["latency_us"]
            ]
        )


@dataclass(frozen=True)
class Aim:
    """One measured value of Loam with its target."""

    subject: str
    what: str
    wanted: str
    found: Spread | None
    met: bool | None
    """None when the figure could not be had from this run."""


def aims(results: Results, idle_bytes: dict[str, int], start_ms: dict[str, list[float]]) -> list[Aim]:
    """The aims that the subjects of this run can be held against."""
    found: list[Aim] = []

    def aim(subject: str, what: str, limit: float, spread: Spread | None, *, at_least: bool, unit: str = "") -> None:
        met = None if spread is None else spread.median >= limit if at_least else spread.median < limit
        found.append(Aim(subject, what, f"{'≥' if at_least else '<'} {limit:g}{unit}", spread, met))

    for subject in (name for name in LOAM if name in results.subjects()):
        for scenario in results.scenarios():
            # With one connection nothing shares a sync, so there the aim is the latency, below.
            if scenario.endswith(" c=1"):
                continue
            nginx = 0.45 if scenario.startswith("streaming") else 0.5
            aim(subject, f"{scenario}: rate / nginx", nginx, results.ratio(scenario, subject, "nginx"), at_least=True)
            # The peers are compared on ordinary bodies only.
            if "bodies" not in scenario:
                for peer, times in (("portkey", 20), ("litellm", 100)):
                    ratio = results.ratio(scenario, subject, peer)
                    aim(subject, f"{scenario}: rate / {peer}", times, ratio, at_least=True)
        added = results.added_p50("plain c=1", subject)
        aim(subject, "added p50, plain c=1", 0.3, added, at_least=False, unit=" ms")
        idle = [idle_bytes[subject] / 1e6] if subject in idle_bytes else []
        aim(subject, "idle memory", 60, Spread.of(idle), at_least=False, unit=" MB")
        first = Spread.of(start_ms.get(subject, []))
        aim(subject, "first healthy answer after start", 300, first, at_least=False, unit=" ms")
    return found
