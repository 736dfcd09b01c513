"""A tool for `llm --functions`."""

from pathlib import Path


def read_note(name: str) -> str:
    """Reads a note."""
    return Path(name).read_text()
