"""What a scripted model says: it runs a command or a tool once, then repeats the result."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from .rules import instance

# What stands for the path of the note, which the task names.
NOTE = "<note>"
COMMAND = f"cat {NOTE}"

# The tools by which applications run a command or read a file, and the arguments that read the note.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "exec_command": {"cmd": COMMAND},
    "shell_command": {"command": COMMAND},
    "shell": {"command": ["bash", "-lc", COMMAND]},
    "Bash": {"command": COMMAND, "description": "Read the note"},
    "bash": {"command": COMMAND, "description": "Read the note"},
    "astrbot_execute_shell": {"command": COMMAND},
    "read_file": {"file_path": NOTE},
    "read_note": {"name": NOTE},
    "Notes-read_note": {"name": NOTE},
}


@dataclass
class Asked:
    """A request, whatever its format: `results` are those of the tools that ran since the user's last message."""

    tools: dict[str, dict[str, Any]]
    results: list[str]
    schema: dict[str, Any] | None
    prompt: str
    choice: Any = None


@dataclass
class Reply:
    """A text, or a call of a tool."""

    text: str | None = None
    tool: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)


def reply_to(asked: Asked) -> Reply:
    path = re.search(r"/\S+/note\.txt", asked.prompt)
    tool = next((name for name in ARGUMENTS if name in asked.tools), None)
    note = re.search(r"The word is [a-z0-9-]+", asked.prompt)
    text = f"The note says: {asked.results[-1]}" if asked.results else note[0] if note else "A note"
    if tool and not asked.results:
        arguments = json.dumps(ARGUMENTS[tool]).replace(NOTE, path[0] if path else "note.txt")
        return Reply(tool=tool, arguments=json.loads(arguments))
    if asked.schema:
        return Reply(text=json.dumps(instance(asked.schema, text)))
    if asked.tools and not tool and asked.choice not in (None, "auto", "none"):
        # A tool that only holds a structured answer.
        name = next(iter(asked.tools))
        return Reply(tool=name, arguments=instance(asked.tools[name], text))
    return Reply(text=text)
