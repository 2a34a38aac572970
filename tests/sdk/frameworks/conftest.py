"""A gateway with a fake provider behind it, for frameworks that take any server for OpenAI's. Each framework meets
providers of every format.

A name such as `test_l1_…` tells the check in `docs/CONFORMANCE.md` section 10.
"""

import json
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# litellm reads this when it is imported. Without it, it asks the network for prices.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

from planes import running  # noqa: E402

# One model of each format, and those whose rules differ from their family's.
MODELS = ["gpt-4o", "gpt-4.1", "claude-sonnet-4-5", "gemini-2.5-flash", "gemini-3-flash-preview"]
# These models think if they are asked to, and sign their thoughts. The signatures have to come back with the results of their calls.
THINKERS = ["claude-sonnet-4-5", "claude-opus-4-6", "gemini-3-flash-preview"]
EVERY_MODEL = ["gpt-4o", "gpt-4.1", "claude-3-5-haiku", *THINKERS, "gemini-2.5-flash"]
# The beginning of a model's name -> the name that `planes` gives to the group of its format.
FORMATS = {"gpt-4o": "openai", "gpt-4.1": "responses", "claude": "anthropic", "gemini": "gemini"}

# The placeholder for a signature that nobody has. A gateway that lost a signature sends it, and the model reasons worse for it.
DUMMY_SIGNATURE = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="

USAGE = {"prompt_tokens": 12, "completion_tokens": 5, "cached_tokens": 4, "reasoning_tokens": 2}


def pytest_configure(config):
    # The frameworks warn of each other, in hundreds of lines.
    config.addinivalue_line("filterwarnings", "ignore")


@pytest.fixture(scope="session")
def gateway(tmp_path_factory):
    with running(tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


@pytest.fixture
def provider(gateway):
    """The provider, without anything that another test left."""
    gateway.provider.forget()
    return Upstream(gateway.provider)


def format_of(model):
    return next(name for beginning, name in FORMATS.items() if model.startswith(beginning))


def calls(*calls):
    """The values of a script that calls tools, from pairs of a name and arguments."""
    return [{"name": name, "arguments": arguments} for name, arguments in calls]


class Upstream:
    """The fake provider, with a view of what it was asked that does not depend on the format."""

    def __init__(self, provider):
        self.provider = provider

    def says(self, model, text, **more):
        self.provider.script("saying", {"model": model}, text=text, **more)

    def calls(self, model, *wanted, **more):
        self.provider.script("tool_calls", {"model": model}, calls=calls(*wanted), **more)

    def plays(self, model, kind, **values):
        self.provider.script(kind, {"model": model}, **values)

    def bodies(self):
        """The bodies of all requests, oldest first."""
        return [json.loads(request["body"]) for request in self.provider.requests()]

    def last(self):
        return self.bodies()[-1]


def messages_of(body):
    return body.get("messages") or body.get("input") or body.get("contents")


def parts_of(message):
    parts = message.get("parts") or message.get("content")
    return parts if isinstance(parts, list) else []


def calls_in(body):
    """The calls that a request repeats, as pairs of a name and arguments."""
    found = []
    for message in messages_of(body):
        for call in message.get("tool_calls") or []:
            found.append((call["function"]["name"], json.loads(call["function"]["arguments"])))
        if message.get("type") == "function_call":
            found.append((message["name"], json.loads(message["arguments"])))
        for part in parts_of(message):
            if part.get("type") == "tool_use":
                found.append((part["name"], part["input"]))
            if "functionCall" in part:
                found.append((part["functionCall"]["name"], part["functionCall"].get("args", {})))
    return found


def results_in(body):
    """The results of calls in a request, as texts."""
    found = []
    for message in messages_of(body):
        if message.get("role") == "tool":
            found.append(message["content"])
        if message.get("type") == "function_call_output":
            found.append(message["output"])
        for part in parts_of(message):
            if part.get("type") == "tool_result":
                found.append(part["content"])
            if "functionResponse" in part:
                found.append(part["functionResponse"]["response"]["result"])
    return [text if isinstance(text, str) else "".join(part["text"] for part in text) for text in found]


def steps_in(body):
    """Whether the provider finds its own signature, for each answer in a request that calls tools."""
    found = []
    for message in messages_of(body):
        parts = parts_of(message)
        if any(part.get("type") == "tool_use" for part in parts):
            found.append(bool(parts[0].get("signature")))
        called = [part for part in parts if "functionCall" in part]
        if called:
            signature = called[0].get("thoughtSignature")
            found.append(bool(signature) and signature != DUMMY_SIGNATURE)
    return found


def thinks(body):
    """Whether a request asks the model to think."""
    config = body.get("generationConfig", {}).get("thinkingConfig", {})
    return body.get("thinking", {}).get("type") in ("enabled", "adaptive") or bool(config)


@pytest.fixture
def token_ids(monkeypatch):
    """Lets LangChain make token ids. tiktoken would fetch its data from the network, but litellm ships them."""
    import litellm

    data = Path(litellm.__file__).parent / "litellm_core_utils" / "tokenizers"
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(data))
