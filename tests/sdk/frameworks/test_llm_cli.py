"""The command `llm` with the gateway's models in `extra-openai-models.yaml`. Each call is a program of its own, as it is for its users.

The program takes a second to start, so there are few runs, two of them at a time.
"""

import json
import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import USAGE, calls_in, results_in
from planes import call, create, wait_for

LLM = Path(sys.executable).with_name("llm")
# A picture of one dot.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f64540"
    "0000000049454e44ae426082"
)
TOOLS = '''
def weather(city: str) -> str:
    """The weather in a city."""
    return f"sun in {city}"

def noon() -> str:
    """The time of noon."""
    return "12:00"
'''

# One model of each format.
UPSTREAMS = ["gpt-4o", "gpt-4.1", "claude-sonnet-4-5", "gemini-3-flash-preview"]


class Llm:
    """A folder of `llm` that knows one of the gateway's models."""

    def __init__(self, home, gateway, model):
        home.mkdir()
        entry = {
            "model_id": "ours",
            "model_name": model,
            "api_base": gateway.base_url,
            "api_key_name": "gateway",
            "vision": True,
            "supports_tools": True,
            "supports_schema": True,
        }
        # JSON is YAML.
        (home / "extra-openai-models.yaml").write_text(json.dumps([entry]))
        (home / "keys.json").write_text(json.dumps({"gateway": gateway.key}))
        self.home, self.model = home, model

    def run(self, *arguments, fails=False, **variables):
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "LLM_USER_PATH": str(self.home), "PYTHONUTF8": "1"}
        done = subprocess.run(
            [LLM, *arguments],
            env=environment | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode != 0) is fails, (self.model, done.stdout, done.stderr)
        return done.stderr if fails else done.stdout

    def logged(self):
        """The tokens in and out of each answer in logs.db, oldest first."""
        with sqlite3.connect(self.home / "logs.db") as database:
            return database.execute("select input_tokens, output_tokens from turns order by id").fetchall()


@pytest.fixture
def each(gateway, tmp_path):
    """Runs a check for every model."""

    def each(check):
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(check, [Llm(tmp_path / model, gateway, model) for model in UPSTREAMS]))

    return each


def test_c1_a_conversation_about_an_image(each, provider, tmp_path):
    """The answer, first as a stream, then whole."""
    image = tmp_path / "dot.png"
    image.write_bytes(PNG)

    def check(llm):
        provider.says(llm.model, "one two three", usage=USAGE)
        provider.says(llm.model, "four", usage=USAGE)
        options = ["-o", "temperature", "0.5", "-o", "max_tokens", "77", "-s", "You look at dots."]
        assert llm.run("-m", "ours", "-a", str(image), *options, f"What is it, {llm.model}?") == "one two three\n"
        assert llm.run("-c", "--no-stream", "And now?") == "four\n"
        assert llm.logged() == [(12, 5), (12, 5)]
        first, second = (str(body) for body in provider.bodies() if f"is it, {llm.model}?" in str(body))
        for expected in ("iVBORw0KGgo", "0.5", "77", "You look at dots."):
            assert expected in first
        for expected in ("iVBORw0KGgo", "one two three", "And now?"):
            assert expected in second

    each(check)


def test_c1_tools(each, provider):
    wanted = [("weather", {"city": "Köln 🌦"}), ("noon", {})]

    def check(llm):
        provider.calls(llm.model, *wanted, usage=USAGE)
        provider.says(llm.model, "Sun at noon.", usage=USAGE)
        prompt = f"Is there sun, {llm.model}?"
        assert llm.run("-m", "ours", "--functions", TOOLS, prompt).strip() == "Sun at noon."
        sent = [body for body in provider.bodies() if prompt in str(body)][-1]
        assert calls_in(sent) == wanted
        assert results_in(sent) == ["sun in Köln 🌦", "12:00"]
        assert llm.logged() == [(12, 5), (12, 5)]

    each(check)


def test_c1_schema(each):
    """The provider answers by the schema that it gets, and refuses a schema that its vendor would refuse."""

    def check(llm):
        answer = llm.run("-m", "ours", "--no-stream", "--schema", "name, age int, one_sentence_bio", "A dog.")
        assert json.loads(answer) == {"name": "Paris", "age": 1, "one_sentence_bio": "Paris"}
        ((tokens_in, tokens_out),) = llm.logged()
        assert tokens_in > 0 and tokens_out > 0

    each(check)


def test_c1_a_refused_request_says_why(gateway, provider, tmp_path):
    provider.plays("claude-sonnet-4-5", "error", status=400)
    told = Llm(tmp_path / "home", gateway, "claude-sonnet-4-5").run("-m", "ours", "Hello", fails=True)
    assert told.startswith("Error: ") and "The request was not understood." in told


@pytest.fixture
def embeds(gateway, tmp_path):
    """Runs `llm embed`, whose models are OpenAI's own. The gateway's address is given to it as to the `openai` package."""

    def embeds(model, text):
        home = Llm(tmp_path / model, gateway, model)
        address = {"OPENAI_BASE_URL": gateway.base_url, "OPENAI_API_KEY": gateway.key}
        return json.loads(home.run("embed", "-m", model, "-c", text, **address))

    return embeds


def test_c1_embed(embeds):
    assert len(embeds("text-embedding-3-small", "Hello")) == 1536
    assert len(embeds("text-embedding-3-small-512", "Hello")) == 512


def test_c1_embed_with_a_model_of_geminis(embeds, gateway, provider):
    """`llm` knows its models' names; an alias gives one of them another meaning."""
    group = {
        "groupName": "embeddings by another name",
        "providerType": "gemini",
        "baseUrl": provider.provider.control,
        "apiKeys": ["sk-upstream-embeddings-0001"],
        "models": [],
        "modelAliases": {"text-embedding-3-large": "gemini-embedding-001"},
    }
    create(gateway.url, gateway.token, "/admin/groups", group)
    model = f"{gateway.base_url}/models/text-embedding-3-large"
    wait_for("the alias is known", lambda: call("GET", model, token=gateway.key)[0] == 200)
    assert len(embeds("text-embedding-3-large-256", "Hello")) == 256
    assert "gemini-embedding-001" in provider.provider.requests()[-1]["path"]
