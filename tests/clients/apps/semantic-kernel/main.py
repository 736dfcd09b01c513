"""Semantic Kernel: an agent with a plugin."""

import asyncio
import os
from pathlib import Path

from anthropic import AsyncAnthropic
from openai import AsyncOpenAI
from semantic_kernel.agents import ChatCompletionAgent
from semantic_kernel.connectors.ai.anthropic import AnthropicChatCompletion
from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion
from semantic_kernel.functions import kernel_function


class Notes:
    @kernel_function(description="Reads a note.")
    def read_note(self, name: str) -> str:
        return Path(name).read_text()


async def main():
    name = os.environ["MODEL"]
    if os.environ["ENDPOINT"] == "/messages":
        client = AsyncAnthropic(base_url=os.environ["ANTHROPIC_BASE_URL"], api_key=os.environ["API_KEY"])
        service = AnthropicChatCompletion(ai_model_id=name, api_key=os.environ["API_KEY"], async_client=client)
    else:
        service = OpenAIChatCompletion(ai_model_id=name, async_client=AsyncOpenAI())
    agent = ChatCompletionAgent(service=service, name="reader", instructions="Be brief.", plugins=[Notes()])
    print((await agent.get_response(messages=os.environ["TASK"])).content)


asyncio.run(main())
