"""Arize Phoenix: what takes the same spans, on its own SQLite as it comes."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from kit.processes import BenchError, free_port, wait_for
from kit.subjects import Subject


class Phoenix(Subject):
    name = "phoenix"

    @property
    def data(self) -> Path:
        return self.setting.folder / self.name

    def version(self) -> str:
        folder = next(self.setting.cache.glob("phoenix/lib/python*/site-packages/arize_phoenix-*.dist-info"), None)
        return folder.name.removeprefix("arize_phoenix-").removesuffix(".dist-info") if folder else ""

    def start(self) -> None:
        command = self.setting.cache / "phoenix/bin/phoenix"
        if not command.is_file():
            raise BenchError("Phoenix is not installed: run bench/setup.sh phoenix")
        self.data.mkdir()
        port = free_port()
        env = {
            "PHOENIX_WORKING_DIR": str(self.data),
            "PHOENIX_HOST": "127.0.0.1",
            "PHOENIX_PORT": str(port),
            "PHOENIX_GRPC_PORT": str(free_port()),
            # no telemetry to its vendor
            "PHOENIX_TELEMETRY_ENABLED": "false",
        }
        self.process = self.setting.processes.start(self.name, [command, "serve"], env=env)
        self.base = f"http://127.0.0.1:{port}"
        wait_for(self.process, f"{self.base}/healthz", seconds=300)

    def spans(self) -> int:
        """Spans in its database: it answers before they are there."""
        database = sqlite3.connect(f"file:{self.data / 'phoenix.db'}?mode=ro", uri=True)
        try:
            return database.execute("SELECT count(*) FROM spans").fetchone()[0]
        finally:
            database.close()

    def wait_for_spans(self, count: int, seconds: float) -> None:
        end = time.monotonic() + seconds
        while self.spans() < count:
            if time.monotonic() > end:
                raise BenchError(f"Phoenix has {self.spans()} of {count} spans after {seconds:.0f} s")
            time.sleep(0.1)

    def bytes(self) -> int:
        return sum(file.stat().st_size for file in self.data.glob("phoenix.db*"))
