"""Pydantic AI: an agent with a tool, streamed."""

import asyncio
import os
from pathlib import Path

from anthropic import AsyncAnthropic
from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

NAME = os.environ["MODEL"]


def model():
    match os.environ["ENDPOINT"]:
        case "/messages":
            client = AsyncAnthropic(base_url=os.environ["ANTHROPIC_BASE_URL"], api_key=os.environ["API_KEY"])
            return AnthropicModel(NAME, provider=AnthropicProvider(anthropic_client=client))
        case "/responses":
            return OpenAIResponsesModel(NAME, provider=OpenAIProvider())
        case _:
            return OpenAIChatModel(NAME, provider=OpenAIProvider())


agent = Agent(model(), instructions="Be brief.")


@agent.tool_plain
def read_note(name: str) -> str:
    """Reads a note."""
    return Path(name).read_text()


async def main():
    async with agent.run_stream(os.environ["TASK"]) as result:
        print(await result.get_output())


asyncio.run(main())
