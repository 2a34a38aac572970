"""What the packages make of a limit of their key: their own exception for it, and a second try when `Retry-After` says so."""

import itertools
import threading
import time
from types import SimpleNamespace

import anthropic
import openai
import pytest
from conftest import hello
from google.genai import errors
from planes import call, create, wait_for
from vendors import anthropic_client, google_client

NUMBERS = itertools.count()


@pytest.fixture
def limited(gateway):
    """Makes proxy keys with limits, each as the gateway that a client is made for."""

    def make(**limits):
        made = create(gateway.url, gateway.token, "/admin/proxy-keys", {"name": f"limited {next(NUMBERS)}", **limits})
        wait_for("the node knows the key", lambda: call("GET", f"{gateway.base_url}/models", token=made["key"])[0] == 200)
        return SimpleNamespace(url=gateway.url, base_url=gateway.base_url, key=made["key"])

    return make


def test_openai_raises_its_own_error_and_sees_what_is_left(limited):
    gateway = limited(rpm=1)
    with openai.OpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=0) as client:
        first = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=hello())
        assert first.headers["x-ratelimit-limit-requests"] == "1"
        assert first.headers["x-ratelimit-remaining-requests"] == "0"
        for stream in (False, True):
            with pytest.raises(openai.RateLimitError) as caught:
                client.chat.completions.create(model="gpt-4o", messages=hello(), stream=stream)
            assert caught.value.code == "rate_limit_exceeded"
            assert "limit of 1 request" in caught.value.message
            assert 1 <= int(caught.value.response.headers["retry-after"]) <= 70


def test_anthropic_raises_its_own_error_and_sees_what_is_left(limited):
    message = {"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": hello()}
    with anthropic_client(limited(rpm=1)) as client:
        first = client.messages.with_raw_response.create(**message)
        assert first.headers["anthropic-ratelimit-requests-limit"] == "1"
        assert first.headers["anthropic-ratelimit-requests-remaining"] == "0"
        assert first.headers["anthropic-ratelimit-requests-reset"].endswith("Z")
        with pytest.raises(anthropic.RateLimitError) as caught:
            client.messages.create(**message)
        assert caught.value.body["error"]["type"] == "rate_limit_error"
        assert 1 <= int(caught.value.response.headers["retry-after"]) <= 70


def test_google_raises_its_own_error(limited):
    client = google_client(limited(rpm=1))
    client.models.generate_content(model="gemini-3-flash-preview", contents="Hello")
    with pytest.raises(errors.ClientError) as caught:
        client.models.generate_content(model="gemini-3-flash-preview", contents="Hello")
    assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")
    client.close()


def ask_openai(client):
    return client.chat.completions.create(model="gpt-4o", messages=hello()).choices[0].message.content


def ask_anthropic(client):
    answer = client.messages.create(model="claude-sonnet-4-5", max_tokens=100, messages=hello())
    return answer.content[0].text


@pytest.mark.parametrize(
    ("package", "ask"), [(openai, ask_openai), (anthropic, ask_anthropic)], ids=["openai", "anthropic"]
)
def test_a_client_that_retries_comes_back_when_it_is_told(limited, package, ask):
    gateway = limited(concurrency=1)
    if package is openai:
        client = openai.OpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=2, timeout=20)
    else:
        client = anthropic_client(gateway, max_retries=2)
    with client, openai.OpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=0) as other:
        # A stream that never ends has the only seat, until its client leaves.
        stream = other.chat.completions.create(model="openai/fake-endless", messages=hello(), stream=True)
        next(iter(stream))
        threading.Timer(0.2, stream.close).start()
        begun = time.monotonic()
        assert ask(client)
        # Without `Retry-After` both packages try again within half a second.
        assert time.monotonic() - begun >= 1
