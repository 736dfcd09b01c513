"""Instructor: a structured answer by a forced tool call."""

import os
from pathlib import Path

import anthropic
import instructor
import openai
from pydantic import BaseModel


class Note(BaseModel):
    """What the note says."""

    words: str


question = [{"role": "user", "content": f"{os.environ['TASK']}\n\n{Path('note.txt').read_text()}"}]
if os.environ["ENDPOINT"] == "/messages":
    client = instructor.from_anthropic(
        anthropic.Anthropic(base_url=os.environ["ANTHROPIC_BASE_URL"], api_key=os.environ["API_KEY"])
    )
else:
    client = instructor.from_openai(openai.OpenAI())
print(client.chat.completions.create(model=os.environ["MODEL"], max_tokens=500, messages=question, response_model=Note))
