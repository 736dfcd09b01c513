"""Logfire on OpenAI's library, exporting by OpenTelemetry's variables only."""

import sys
from pathlib import Path

import logfire

sys.path.append(str(Path(__file__).parent.parent))
logfire.configure(send_to_logfire=False, console=False)
logfire.instrument_openai()

from openai_reader import read  # noqa: E402

with logfire.span("read the note"):
    print(read())
logfire.force_flush()
