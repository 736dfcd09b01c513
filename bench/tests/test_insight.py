"""The arithmetic of the benchmark of insight: `python3 -m unittest discover bench/tests`."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import insight


def loam(**changes) -> dict:
    line = {"subject": "loam-sqlite", "shape": "10x50", "durable": 150_000.0, "visible": 120_000.0, "p99": 9_000.0, "bytes": 41.5}
    return line | changes


PHOENIX = {"subject": "phoenix", "shape": "10x50", "visible": 200.0, "bytes": 900.0}


class Insight(unittest.TestCase):
    def test_an_aim_that_is_met_is_not_named(self):
        self.assertEqual(insight.aims({"intake": [PHOENIX, loam()], "reading": []}), [])

    def test_what_is_missed_is_named(self):
        run = {"intake": [PHOENIX, loam(durable=99_999.0, visible=19_000.0)], "reading": []}
        missed = insight.aims(run)
        self.assertEqual(len(missed), 2)
        self.assertIn("99,999 calls a second durable", missed[0])
        self.assertIn("95 times Phoenix", missed[1])

    def test_the_table_has_a_line_for_each(self):
        text = insight.table({"intake": [PHOENIX, loam()], "reading": []})
        self.assertIn("| loam-sqlite | 10x50 | 150,000 | 120,000 | 600 | 9.0 ms | 42 |", text)
        self.assertIn("| phoenix | 10x50 | – | 200 | 1 | – | 900 |", text)


if __name__ == "__main__":
    unittest.main()
