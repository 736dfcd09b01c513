"""The arithmetic of the benchmark of conversations: `python3 -m unittest discover bench/tests`."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import conversation


def line(**changes) -> dict:
    figures = {"p50_small": 300.0, "p50_large": 330.0, "p99_small": 900.0, "p99_large": 1_000.0, "ratio": 1.1}
    return {"database": "sqlite", "what": "messages", "connections": 8} | figures | changes


class Aims(unittest.TestCase):
    def test_what_is_within_its_aims_is_not_missed(self):
        self.assertEqual(conversation.aims({"reading": [line(), line(ratio=4 / 3, p99_large=5_000)]}), [])

    def test_a_slower_large_one_and_a_slow_hundredth_are_named(self):
        missed = conversation.aims({"reading": [line(ratio=1.34), line(database="postgres", p99_large=5_001)]})
        self.assertEqual(len(missed), 2)
        self.assertIn("sqlite, messages, c=8: 1.34 times", missed[0])
        self.assertIn("postgres, messages, c=8: p99 5,001", missed[1])

    def test_the_table_has_every_line_in_milliseconds(self):
        run = {
            "reading": [line()],
            "turns": [{"database": "sqlite", "what": "plain", "connections": 1, "turns_per_second": 1234.5, "p99": 2_500.0}],
            "imports": [{"database": "sqlite", "way": "api", "messages_per_second": 45_678.9}],
            "samples": [{"database": "sqlite", "messages": 10_000, "rows_per_second": 98_765.4}],
        }
        text = conversation.table(run)
        for cell in ("0.30 ms", "1.00 ms", "| 1.10 |", "1,234", "2.5 ms", "45,679", "10,000", "98,765"):
            self.assertIn(cell, text)


class History(unittest.TestCase):
    def test_a_history_has_the_requested_number_of_messages(self):
        with tempfile.TemporaryDirectory() as folder:
            for wanted in (1, 20, 21, 45):
                lines = conversation.history(Path(folder), wanted).read_text().splitlines()
                self.assertEqual(sum('"type": "message"' in each for each in lines), wanted)


if __name__ == "__main__":
    unittest.main()
