"""LiteLLM as a library: a loop over tool calls, the first round streamed."""

import json
import os
from pathlib import Path

import litellm

messages = os.environ["ENDPOINT"] == "/messages"
PROVIDER = "anthropic" if messages else "openai"
OPTIONS = {
    "model": f"{PROVIDER}/{os.environ['MODEL']}",
    "api_base": os.environ["ANTHROPIC_BASE_URL" if messages else "OPENAI_BASE_URL"],
    "api_key": os.environ["API_KEY"],
    "user": "ann@example.com/" + "long" * 20,
}
PARAMETERS = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
TOOL = {"type": "function", "function": {"name": "read_note", "description": "Reads a note.", "parameters": PARAMETERS}}

conversation = [{"role": "user", "content": os.environ["TASK"]}]
chunks = list(litellm.completion(messages=conversation, tools=[TOOL], stream=True, **OPTIONS))
answer = litellm.stream_chunk_builder(chunks, messages=conversation).choices[0].message
conversation.append(answer.model_dump(exclude_none=True))
for call in answer.tool_calls:
    content = Path(json.loads(call.function.arguments)["name"]).read_text()
    conversation.append({"role": "tool", "tool_call_id": call.id, "content": content})
print(litellm.completion(messages=conversation, tools=[TOOL], **OPTIONS).choices[0].message.content)
