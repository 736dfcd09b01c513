"""Langfuse's SDK with its own settings, in place of OpenAI's library."""

import sys
from pathlib import Path

from langfuse import get_client, observe
from langfuse.openai import openai

sys.path.append(str(Path(__file__).parent.parent))
import openai_reader

openai_reader.openai = openai


@observe()
def answer() -> str:
    return openai_reader.read()


print(answer())
get_client().flush()
