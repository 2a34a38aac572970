"""A gateway with a fake provider behind it, both as programs, for tests with the real `openai` package."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import openai
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from planes import BODY_LIMIT, Provider, call, create, free_port, running, wait_for  # noqa: E402, F401
from vendors import claude, google, picture, vendor_clients  # noqa: E402, F401

# A model behind each API that the gateway speaks to.
MODELS = {
    "openai": "gpt-4o",
    "responses": "gpt-4.1",
    "anthropic": "claude-sonnet-4-5",
    "gemini": "gemini-3-flash-preview",
}


@dataclass
class Upstream:
    """One of the APIs behind the gateway, with a model that it serves."""

    name: str
    model: str
    provider: Provider

    def fault(self, name):
        """The model of this API that has this fault, such as `fake-cut`."""
        return f"{self.name}/{name}"

    def says(self, kind="script", model=None, **values):
        """Has the next request for the model answered by this script."""
        self.provider.script(kind, {"model": model or self.model}, **values)

    @property
    def received(self):
        """The bodies that the provider received, oldest first."""
        return [json.loads(request["body"]) for request in self.provider.requests()]


def add_groups(gateway, groups):
    """Adds groups of these names, vendors and models or aliases, each with a key of its own, and waits until the node serves them."""
    for name, vendor, models in groups:
        aliases = models if isinstance(models, dict) else {}
        body = {
            "groupName": name,
            "providerType": vendor,
            "baseUrl": gateway.provider.control if vendor in ("anthropic", "gemini") else gateway.provider.base_url,
            "apiKeys": [f"sk-upstream-{name}-0001"],
            "models": [] if aliases else models,
            "modelAliases": aliases,
        }
        create(gateway.url, gateway.token, "/admin/groups", body)
    wanted = {model for _, _, models in groups for model in models}

    def served():
        status, models = call("GET", f"{gateway.base_url}/models", token=gateway.key)
        return status == 200 and wanted <= {model["id"] for model in models["data"]}

    wait_for("the node serves the new groups", served)


@pytest.fixture(scope="session")
def gateway(tmp_path_factory):
    with running(tmp_path_factory.mktemp("gateway")) as gateway:
        # One has chat completions and nothing else, and one has models with slashes in their names.
        add_groups(
            gateway, [("compatible", "openai_compatible", ["chat-only"]), ("slashed", "openai", ["org/model:v1"])]
        )
        yield gateway


@pytest.fixture(autouse=True)
def forgotten(gateway):
    """Each test begins with a provider that has no scripts and has received nothing."""
    gateway.provider.forget()


@pytest.fixture(params=MODELS)
def upstream(request, gateway):
    """Each API behind the gateway in turn."""
    return Upstream(request.param, MODELS[request.param], gateway.provider)


@pytest.fixture(scope="session")
def client(gateway):
    """A client that does not retry on its own."""
    with openai.OpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=0, timeout=20) as client:
        yield client


@pytest.fixture(scope="session")
def direct(gateway):
    """The same client at OpenAI's own API, as the fake provider plays it, without the gateway."""
    url = gateway.provider.base_url
    with openai.OpenAI(base_url=url, api_key="sk-direct", max_retries=0, timeout=20) as client:
        yield client


@pytest.fixture
def counting(gateway):
    """Makes clients that count what they send. Gives the client and the list to which its requests are added."""
    made = []

    def make(**options):
        sent = []
        http = openai.DefaultHttpxClient(event_hooks={"request": [sent.append]})
        settings = {"timeout": 20} | options
        client = openai.OpenAI(base_url=gateway.base_url, api_key=gateway.key, http_client=http, **settings)
        made.append(client)
        return client, sent

    yield make
    for client in made:
        client.close()


def hello(text="Hello"):
    return [{"role": "user", "content": text}]


def raw(error):
    """The answer of which an exception of the package tells."""
    return error.response


def pytest_configure(config):
    """Here, models that a package calls old are as good as others."""
    for words in ("The model 'claude-.*", "Using Claude with .*"):
        config.addinivalue_line("filterwarnings", f"ignore:{words}")
