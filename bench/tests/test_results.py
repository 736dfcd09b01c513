"""The arithmetic of the report, and the check of the ledger: `python3 -m unittest discover bench/tests`."""

import sqlite3
import sys
import tempfile
import unittest
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).parent.parent))

from kit.ledger import disagreement, ledger_count
from kit.processes import BenchError
from kit.report import aims_table, scenario_table, significant
from kit.results import Results, Spread, aims


def slot(scenario: str, subject: str, number: int, rate: float, p50: float = 100.0) -> dict:
    return {
        "scenario": scenario,
        "subject": subject,
        "round": number,
        "requests_per_second": rate,
        "latency_us": {"p50": p50, "p99": 2 * p50},
        "errors": {},
        "peak_rss_bytes": int(rate),
    }


class RatiosTest(unittest.TestCase):
    def test_a_ratio_is_computed_within_its_round(self):
        # The machine is three times slower in the second round; the ratios don't see it.
        results = Results(
            [
                slot("plain c=32", "nginx", 1, 60_000),
                slot("plain c=32", "loam-sqlite", 1, 36_000),
                slot("plain c=32", "nginx", 2, 20_000),
                slot("plain c=32", "loam-sqlite", 2, 10_000),
                slot("plain c=32", "nginx", 3, 50_000),
                slot("plain c=32", "loam-sqlite", 3, 35_000),
            ]
        )
        found = results.ratio("plain c=32", "loam-sqlite", "nginx")
        self.assertEqual(found, Spread(0.6, 0.5, 0.7))
        self.assertIsNone(results.ratio("plain c=32", "loam-sqlite", "portkey"))
        self.assertIn("0.60 (0.50–0.70)", scenario_table(results, "plain c=32"))

    def test_a_peer_that_served_nothing_gives_no_ratio(self):
        results = Results([slot("s", "litellm", 1, 0), slot("s", "loam-sqlite", 1, 5)])
        self.assertIsNone(results.ratio("s", "loam-sqlite", "litellm"))


class AimsTest(unittest.TestCase):
    def found(self, rate: float, p50: float, idle: int, start: list[float]) -> dict:
        results = Results(
            [
                slot("plain c=1", "upstream", 1, 9_000, 60),
                slot("plain c=1", "loam-sqlite", 1, 5_000, p50),
                slot("streaming c=32", "nginx", 1, 10_000),
                slot("streaming c=32", "loam-sqlite", 1, rate),
                slot("streaming c=32", "litellm", 1, 40),
            ]
        )
        return {aim.what: aim.met for aim in aims(results, {"loam-sqlite": idle}, {"loam-sqlite": start})}

    def test_each_aim_can_be_met_and_missed(self):
        met = self.found(rate=4_600, p50=300, idle=59_000_000, start=[250, 400, 280])
        missed = self.found(rate=3_900, p50=370, idle=61_000_000, start=[310, 320, 200])
        expected = {
            "streaming c=32: rate / nginx",
            "streaming c=32: rate / litellm",
            "added p50, plain c=1",
            "idle memory",
            "first healthy answer after start",
        }
        self.assertEqual({what for what, is_met in met.items() if is_met}, expected)
        self.assertEqual({what for what, is_met in missed.items() if is_met is False}, expected)
        self.assertIsNone(met["streaming c=32: rate / portkey"])

    def test_the_table_says_missed(self):
        results = Results([slot("plain c=32", "nginx", 1, 10), slot("plain c=32", "loam-sqlite", 1, 4)])
        self.assertIn("**missed**", aims_table(aims(results, {}, {})))


class LedgerTest(unittest.TestCase):
    def test_the_embedded_database_is_found_and_counted(self):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "journal.seg").write_bytes(b"not a database")
            with closing(sqlite3.connect(Path(folder) / "loam.db")) as database:
                database.execute("create table llm_calls (state text)")
                database.executemany("insert into llm_calls values (?)", [("settled",), ("settled",), ("failed",)])
                database.commit()
            self.assertEqual(ledger_count(SimpleNamespace(data=Path(folder))), {"failed": 1, "settled": 2})

    def test_a_folder_without_a_ledger_is_an_error(self):
        with tempfile.TemporaryDirectory() as folder, self.assertRaises(BenchError):
            ledger_count(SimpleNamespace(data=Path(folder)))

    def test_every_kind_of_disagreement_is_reported(self):
        self.assertIsNone(disagreement({"settled": 7}, 7, 7))
        self.assertIn("6 calls in the ledger, 7 served", disagreement({"settled": 6}, 7, 6))
        self.assertIn("8 calls in the ledger, 7 served", disagreement({"settled": 8}, 7, 7))
        self.assertIn("'failed': 1", disagreement({"settled": 6, "failed": 1}, 7, 6))
        self.assertIn("8 answered", disagreement({"settled": 7}, 7, 8))


class NumbersTest(unittest.TestCase):
    def test_three_digits_are_enough(self):
        self.assertEqual(
            [significant(n) for n in (51626.4, 44.21, 0.616, 0.00414, None)], ["51,626", "44.2", "0.62", "0.0041", "–"]
        )


if __name__ == "__main__":
    unittest.main()
