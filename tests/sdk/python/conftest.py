"""A gateway with a fake provider behind it, both as programs of their own, for tests with the real `openai` package."""

import sys
from pathlib import Path

import openai
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from planes import BODY_LIMIT, call, free_port, running, wait_for  # noqa: E402, F401


@pytest.fixture(scope="session")
def gateway(tmp_path_factory):
    with running(tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


@pytest.fixture
def client(gateway):
    """A client that does not retry by itself."""
    with openai.OpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=0, timeout=20) as client:
        yield client


@pytest.fixture
def counting(gateway):
    """Makes clients that count what they send: the client, and the list that its requests are added to."""
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
    """The answer that an exception of the package stands for."""
    return error.response
