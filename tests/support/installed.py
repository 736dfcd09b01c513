"""Where `scripts/setup.py` installed a program."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

SETUP = Path(__file__).parent.parent.parent / "scripts" / "setup.py"


@cache
def setup_path(name: str) -> str:
    """The path of a part, by its name in `setup.py path`."""
    # By the interpreter that venvs are made from: the same result for every caller.
    python = Path(sys.base_prefix) / "bin" / "python3"
    return subprocess.run([python, SETUP, "path", name], capture_output=True, text=True, check=True).stdout.strip()
