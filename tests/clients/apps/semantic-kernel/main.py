"""Semantic Kernel: an agent with a plugin."""

import asyncio
import os
from pathlib import Path

from openai import AsyncOpenAI
from semantic_kernel.agents import ChatCompletionAgent
from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion
from semantic_kernel.functions import kernel_function


class Notes:
    @kernel_function(description="Reads a note.")
    def read_note(self, name: str) -> str:
        return Path(name).read_text()


async def main():
    service = OpenAIChatCompletion(ai_model_id=os.environ["MODEL"], async_client=AsyncOpenAI())
    agent = ChatCompletionAgent(service=service, name="reader", instructions="Be brief.", plugins=[Notes()])
    print((await agent.get_response(messages=os.environ["TASK"])).content)


asyncio.run(main())
