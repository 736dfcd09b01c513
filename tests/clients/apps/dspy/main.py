"""DSPy: a tool call, and an answer as JSON that follows the signature."""

import os
from pathlib import Path

import dspy


def read_note(name: str) -> str:
    """Reads a note."""
    return Path(name).read_text()


class Choose(dspy.Signature):
    """Choose the tools for the task."""

    task: str = dspy.InputField()
    tools: list[dspy.Tool] = dspy.InputField()
    calls: dspy.ToolCalls = dspy.OutputField()


lm = dspy.LM(f"openai/{os.environ['MODEL']}", api_base=os.environ["OPENAI_BASE_URL"], api_key=os.environ["API_KEY"], cache=False)
dspy.configure(lm=lm, adapter=dspy.JSONAdapter())
chosen = dspy.Predict(Choose)(task=os.environ["TASK"], tools=[dspy.Tool(read_note)])
notes = [read_note(**call.args) for call in chosen.calls.tool_calls]
print(dspy.Predict("task, notes: list[str] -> answer: str")(task=os.environ["TASK"], notes=notes).answer)
