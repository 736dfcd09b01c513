"""`langchain-openai` of PyPI, unmodified: only base URL and key point at Loam."""

from __future__ import annotations

import pytest
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, Field

pytestmark = pytest.mark.one_database


class Person(BaseModel):
    """A person."""

    # Bounded, or a small model may write until it reaches its limit.
    name: str = Field(max_length=20)
    age: int = Field(ge=0, le=150)


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"21 degrees in {city}"


@pytest.fixture
def chat(loam):
    def make(model: str, max_tokens: int = 32) -> ChatOpenAI:
        where = {"base_url": loam.loam.base_url, "api_key": loam.loam.key}
        return ChatOpenAI(model=model, **where, max_retries=0, max_tokens=max_tokens)

    return make


def test_invoke_returns_usage(chat, model, ask):
    response = chat(model).invoke(ask("Say hello."))
    assert response.content
    assert response.usage_metadata["total_tokens"] > 0


def test_stream_arrives_in_pieces(chat, model, ask):
    pieces = [piece.content for piece in chat(model).stream(ask("Count to five."))]
    assert "".join(pieces)
    assert len(pieces) > 2


async def test_the_asynchronous_stream_arrives_in_pieces(chat, model, ask):
    pieces = [piece.content async for piece in chat(model).astream(ask("Count to five."))]
    assert "".join(pieces)


def test_bound_tools_are_called(chat, ask):
    response = chat("mock/gpt-4o").bind_tools([get_weather]).invoke(ask("What is the weather in Paris?"))
    assert response.tool_calls[0]["name"] == "get_weather"
    assert get_weather.invoke(response.tool_calls[0]["args"])


def test_structured_output_is_the_pydantic_model(chat, model, ask):
    structured = chat(model, max_tokens=128).with_structured_output(Person, method="json_schema")
    assert isinstance(structured.invoke(ask("Anna is 31 years old. Give her name and age.")), Person)


def test_embeddings_succeed(loam, ask):
    embeddings = OpenAIEmbeddings(
        model="mock/text-embedding-3-small",
        base_url=loam.loam.base_url,
        api_key=loam.loam.key,
        # Text instead of token numbers, for which it would fetch a tokenizer from the network.
        check_embedding_ctx_length=False,
    )
    assert len(embeddings.embed_query(ask("hello"))) == 1536
