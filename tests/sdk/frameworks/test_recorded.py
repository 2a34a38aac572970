"""Recorded answers of vendors, sent through the frameworks: none of them stumbles over what the gateway makes of an answer.

WIRE_RECORDINGS names a folder of recorded exchanges, with a folder for each vendor; they are not part of the repository, and without them
these tests are skipped. A recording is a JSON file with `response.status`, and `response.body` or `response.sse`.
"""

import asyncio
import json
import os
from pathlib import Path

import litellm
import pytest
from langchain_openai import ChatOpenAI
from pydantic_ai.direct import model_request, model_request_stream
from pydantic_ai.exceptions import UnexpectedModelBehavior
from pydantic_ai.messages import ModelRequest
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

RECORDINGS = os.environ.get("WIRE_RECORDINGS")
# The folder of a vendor's recordings -> the model whose upstream plays the vendor.
FOLDERS = {
    "openai-chat": "gpt-4o",
    "compat-chat": "gpt-4o",
    "openai-responses": "gpt-4.1",
    "compat-responses": "gpt-4.1",
    "anthropic": "claude-sonnet-4-5",
    "gemini": "gemini-3-flash-preview",
    "vertex": "gemini-3-flash-preview",
}
CHAT_PATHS = ("/chat/completions", "/responses", "/messages", ":generateContent", ":streamGenerateContent")
REASONS = ("stop", "length", "tool_calls", "content_filter", "function_call")
# What passes through as an OpenAI-compatible vendor sent it, and is refused where the framework speaks to the vendor itself, too: a choice
# without a message, an empty `finish_reason`, `finish_details` in its place, a content of parts, a text that is no JSON. And calls of custom
# tools, which the framework does not have.
REFUSED = {
    "pydantic-ai": {
        "azure_plain--openllmetry-testing",
        "custom_tool--gpt-5",
        "snowflake_claude--claude-sonnet-4-6",
        "wrong_content_type--gpt-4o",
    },
    "LangChain": {"azure_plain--openllmetry-testing", "custom_tool--gpt-5", "wrong_content_type--gpt-4o"},
    "litellm": {
        "azure_plain--openllmetry-testing",
        "mistral_thinking_chunks--magistral-medium-latest",
        "vision_image_url--gpt-4-vision-preview",
        "wrong_content_type--gpt-4o",
    },
}


def recordings():
    """The answers of chat APIs with status 200: the model that plays them, the file, and whether it is a stream."""
    if not RECORDINGS:
        return []
    found = []
    for folder, model in FOLDERS.items():
        for path in sorted((Path(RECORDINGS) / folder).glob("*.json")):
            exchange = json.loads(path.read_text())
            asked = exchange["request"]["path"].partition("?")[0]
            if exchange["response"]["status"] == 200 and asked.endswith(CHAT_PATHS):
                streams = "sse" in exchange["response"]
                found.append(pytest.param(model, path, streams, id=f"{folder}/{path.stem}"))
    return found


FOUND = recordings()
pytestmark = pytest.mark.skipif(not FOUND, reason="WIRE_RECORDINGS names no folder of recorded exchanges")
each = pytest.mark.parametrize(("model", "path", "streams"), FOUND or [pytest.param(None, None, False, id="none")])


@pytest.fixture
def play(provider):
    """Has the provider answer with a recording."""

    def play(framework, model, path):
        if path.stem in REFUSED[framework]:
            pytest.skip("refused by the framework where it speaks to the vendor itself, too")
        provider.plays(model, "recording", recording=str(path))

    return play


@each
def test_y3_pydantic_ai(gateway, play, model, path, streams):
    play("pydantic-ai", model, path)
    asker = OpenAIChatModel(model, provider=OpenAIProvider(base_url=gateway.base_url, api_key=gateway.key))
    messages = [ModelRequest.user_text_prompt("Hello")]

    async def ask():
        if not streams:
            return await model_request(asker, messages)
        async with model_request_stream(asker, messages) as stream:
            async for _ in stream:
                pass
            return stream.get()

    try:
        answer = asyncio.run(ask())
    except UnexpectedModelBehavior as error:
        pytest.fail(f"{path.name}: {error}")
    assert answer.model_name


@each
def test_x2_langchain(gateway, play, model, path, streams):
    play("LangChain", model, path)
    chat = ChatOpenAI(model=model, base_url=gateway.base_url, api_key=gateway.key, max_retries=0, stream_usage=True)
    if streams:
        answer = None
        for chunk in chat.stream("Hello"):
            answer = chunk if answer is None else answer + chunk
    else:
        answer = chat.invoke("Hello")
    if model != "gpt-4o":
        # The gateway writes the answers that do not pass through.
        assert answer.response_metadata["finish_reason"] in REASONS
        usage = answer.usage_metadata
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


@each
def test_x2_litellm(gateway, play, model, path, streams):
    play("litellm", model, path)
    settings = {"model": f"openai/{model}", "api_base": gateway.base_url, "api_key": gateway.key, "max_retries": 0}
    messages = [{"role": "user", "content": "Hello"}]
    answer = litellm.completion(messages=messages, stream=streams, **settings)
    if streams:
        answer = litellm.stream_chunk_builder(list(answer), messages=messages)
    assert answer.choices[0].finish_reason in REASONS
