"""LlamaIndex: an agent with a tool."""

import asyncio
import os
from pathlib import Path

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.llms.anthropic import Anthropic
from llama_index.llms.openai_like import OpenAILike


def read_note(name: str) -> str:
    """Reads a note."""
    return Path(name).read_text()


async def main():
    key, name = os.environ["API_KEY"], os.environ["MODEL"]
    if os.environ["ENDPOINT"] == "/messages":
        model = Anthropic(model=name, base_url=os.environ["ANTHROPIC_BASE_URL"], api_key=key, max_tokens=500)
    else:
        base = os.environ["OPENAI_BASE_URL"]
        model = OpenAILike(model=name, api_base=base, api_key=key, is_chat_model=True, is_function_calling_model=True)
    print(await FunctionAgent(tools=[read_note], llm=model, system_prompt="Be brief.").run(os.environ["TASK"]))


asyncio.run(main())
