"""How the suites are divided among processes."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from xdist.scheduler import LoadScopeScheduling

ON_POSTGRES = re.compile(r"[\[-]postgres[\]-]")


def part(nodeid: str) -> str:
    """The tests of a file on one database, which share a server."""
    file, _, test = nodeid.partition("::")
    return f"{file}::postgres" if ON_POSTGRES.search(test) else file


def longest_first(items: list[pytest.Item]) -> None:
    """Orders tests so that no process is left with a long part at the end. Those of many tests are quick ones."""
    counts = Counter(part(item.nodeid) for item in items)
    items.sort(key=lambda item: (counts[part(item.nodeid)], part(item.nodeid)))


class ByFileAndDatabase(LoadScopeScheduling):
    """A process runs a part, and takes the next one when it has finished."""

    def _split_scope(self, nodeid: str) -> str:
        return part(nodeid)
