"""The code blocks of a document, and a terminal that they are pasted into."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^```(\w*)$")


@dataclass(frozen=True)
class Block:
    """A code block. `language` is that of its fence; empty for an indented block."""

    line: int
    language: str
    text: str


def blocks(document: Path) -> list[Block]:
    """All code blocks of a Markdown document, fenced and indented."""
    found: list[Block] = []
    lines = document.read_text().splitlines()
    at = 0
    while at < len(lines):
        begin = at
        if fence := FENCE.match(lines[at]):
            end = lines.index("```", at + 1)
            found.append(Block(begin + 1, fence[1], "\n".join(lines[at + 1 : end])))
            at = end
        elif lines[at].startswith("    ") and (at == 0 or not lines[at - 1].strip()):
            while at + 1 < len(lines) and (lines[at + 1].startswith("    ") or not lines[at + 1].strip()):
                at += 1
            found.append(Block(begin + 1, "", "\n".join(lines[begin : at + 1]).rstrip()))
        at += 1
    return found


class Terminal:
    """One shell, in which variables stay from one block to the next. A command that fails ends it.

    Clients reach `url` at whatever address they are given, as it is their proxy: a document names the default port.
    """

    def __init__(self, folder: Path, url: str, variables: dict[str, str]) -> None:
        self._scripts = Path(tempfile.mkdtemp(dir=folder, prefix="pasted-"))
        # curl's own setting: a response with an error status is a failure.
        (self._scripts / ".curlrc").write_text("fail-with-body\nno-progress-meter\n")
        clean = {
            name: value for name, value in os.environ.items() if not name.startswith(("LOAM_", "OTEL_", "no_proxy", "NO_PROXY"))
        }
        self._shell = subprocess.Popen(
            ["bash", "--norc"],
            cwd=folder,
            env=clean | {"CURL_HOME": str(self._scripts), "http_proxy": url} | variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._tell("set -eo pipefail")

    def _tell(self, line: str) -> None:
        self._shell.stdin.write(line + "\n")
        self._shell.stdin.flush()

    def run(self, text: str) -> str:
        """Runs a block to its end; returns what it printed."""
        script = self._scripts / "block.sh"
        script.write_text(text)
        self._tell(f"source {script} </dev/null; echo '--- pasted ---'")
        printed = []
        for line in self._shell.stdout:
            if line.endswith("--- pasted ---\n"):
                return "".join(printed) + line.removesuffix("--- pasted ---\n")
            printed.append(line)
        raise AssertionError(f"a command failed in\n{text}\n\n{''.join(printed)}")

    def python(self, text: str) -> str:
        """Runs a program with the variables of the shell."""
        program = self._scripts / "block.py"
        program.write_text(text)
        return self.run(f"python {program}")

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self._shell.stdin.close()
        self._shell.wait(10)
