"""AutoGen: an assistant with a tool, which reflects on the tool's result."""

import asyncio
import os
from pathlib import Path

from autogen_agentchat.agents import AssistantAgent
from autogen_ext.models.anthropic import AnthropicChatCompletionClient
from autogen_ext.models.openai import OpenAIChatCompletionClient

INFO = {"vision": False, "function_calling": True, "json_output": True, "structured_output": True, "family": "unknown"}


def read_note(name: str) -> str:
    """Reads a note."""
    return Path(name).read_text()


async def main():
    messages = os.environ["ENDPOINT"] == "/messages"
    kind = AnthropicChatCompletionClient if messages else OpenAIChatCompletionClient
    base = os.environ["ANTHROPIC_BASE_URL" if messages else "OPENAI_BASE_URL"]
    client = kind(model=os.environ["MODEL"], base_url=base, api_key=os.environ["API_KEY"], model_info=INFO)
    agent = AssistantAgent("reader", client, tools=[read_note], reflect_on_tool_use=True, model_client_stream=True)
    print((await agent.run(task=os.environ["TASK"])).messages[-1].content)
    await client.close()


asyncio.run(main())
