"""The task with OpenAI's own library, for the programs that observe it: a loop over tool calls."""

import json
import os
from pathlib import Path

import openai

PARAMETERS = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
TOOL = {"type": "function", "function": {"name": "read_note", "description": "Reads a note.", "parameters": PARAMETERS}}


def read() -> str:
    client, model = openai.OpenAI(), os.environ["MODEL"]
    conversation = [{"role": "user", "content": os.environ["TASK"]}]
    answer = client.chat.completions.create(model=model, messages=conversation, tools=[TOOL]).choices[0].message
    conversation.append(answer.model_dump(exclude_none=True))
    for call in answer.tool_calls:
        content = Path(json.loads(call.function.arguments)["name"]).read_text()
        conversation.append({"role": "tool", "tool_call_id": call.id, "content": content})
    options = {"include_usage": True}
    chunks = client.chat.completions.create(model=model, messages=conversation, tools=[TOOL], stream=True, stream_options=options)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
