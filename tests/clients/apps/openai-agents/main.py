"""OpenAI's Agents SDK: an agent with a tool."""

import asyncio
import os
from pathlib import Path

from agents import Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, function_tool, set_tracing_disabled
from openai import AsyncOpenAI

set_tracing_disabled(True)


@function_tool
def read_note(name: str) -> str:
    """Reads a note."""
    return Path(name).read_text()


async def main():
    kind = OpenAIResponsesModel if os.environ["ENDPOINT"] == "/responses" else OpenAIChatCompletionsModel
    model = kind(model=os.environ["MODEL"], openai_client=AsyncOpenAI())
    agent = Agent(name="Reader", instructions="Be brief.", tools=[read_note], model=model)
    print((await Runner.run(agent, os.environ["TASK"])).final_output)


asyncio.run(main())
