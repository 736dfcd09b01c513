"""The command line at a server."""

from __future__ import annotations

import os
import subprocess


def at_server(url: str, key: str | None, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a command at a server, on a machine without a database."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LOAM_")}
    env = clean | {"LOAM_SERVER": url, "LOAM_DATA": "/nonexistent"} | ({"LOAM_KEY": key} if key else {})
    command = [os.environ["LOAM_BIN"], *words]
    return subprocess.run(command, input=stdin or "", capture_output=True, text=True, check=False, timeout=120, env=env)
