"""How the suites are divided among processes."""

from __future__ import annotations

import re

from xdist.scheduler import LoadScopeScheduling

ON_POSTGRES = re.compile(r"[\[-]postgres[\]-]")


class ByFileAndDatabase(LoadScopeScheduling):
    """A process runs the tests of a file on one database, which share a server, and takes the next such part when it has
    finished."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        return f"{file}::postgres" if ON_POSTGRES.search(test) else file
