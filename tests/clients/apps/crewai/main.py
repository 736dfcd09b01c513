"""CrewAI: an agent with a tool."""

import os
from pathlib import Path

from crewai import LLM, Agent
from crewai.tools import tool


@tool("read_note")
def read_note(name: str) -> str:
    """Reads a note."""
    return Path(name).read_text()


provider = "anthropic" if os.environ["ENDPOINT"] == "/messages" else "openai"
base = os.environ[f"{provider.upper()}_BASE_URL"]
model = LLM(model=os.environ["MODEL"], provider=provider, base_url=base, api_key=os.environ["API_KEY"])
agent = Agent(role="Reader", goal="Read notes", backstory="You read notes.", llm=model, tools=[read_note])
print(agent.kickoff(os.environ["TASK"]).raw)
