"""The asynchronous client of the `openai` package: many at once (check P17 in `docs/CONFORMANCE.md` section 10),
streams, and tasks that are cancelled."""

import asyncio
import re

import openai
import pytest
from conftest import MODELS, hello, wait_for
from openai import pydantic_function_tool
from pydantic import BaseModel


class Weather(BaseModel):
    city: str


def run(gateway, use):
    """Runs `use` with a client that lives as long as it."""

    async def with_client():
        options = {"base_url": gateway.base_url, "api_key": gateway.key, "max_retries": 0, "timeout": 30}
        async with openai.AsyncOpenAI(**options) as client:
            return await use(client)

    return asyncio.run(with_client())


def test_many_at_once(gateway):
    async def use(client):
        def ask(number):
            script = {"fake": {"content": f"answer {number}"}}
            return client.chat.completions.create(model="gpt-4o", messages=hello(), extra_body=script)

        return await asyncio.gather(*(ask(number) for number in range(50)))

    answers = run(gateway, use)
    assert [answer.choices[0].message.content for answer in answers] == [f"answer {number}" for number in range(50)]
    assert len({answer._request_id for answer in answers}) == 50


def test_stream(gateway):
    async def use(client):
        script = {"fake": {"content": "one two three"}}
        stream = await client.chat.completions.create(model="gpt-4o", messages=hello(), stream=True, extra_body=script)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert run(gateway, use) == "one two three"


def test_models(gateway):
    async def use(client):
        return [model.id async for model in client.models.list()]

    assert "gpt-4o" in run(gateway, use)


def test_two_hundred_streams_at_once(gateway):
    """P17: fifty streams of each API. Each says what it was asked, word by word, and nothing of another stream."""
    for model in MODELS.values():
        gateway.provider.script("echo", {"model": model}, apply="always", chunk_delay_ms=1)

    async def use(client):
        async def ask(number):
            model = list(MODELS.values())[number % len(MODELS)]
            text = f"marker-{number}- " * 20
            stream = await client.chat.completions.create(model=model, messages=hello(text), stream=True)
            chunks = [chunk async for chunk in stream]
            said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
            assert len({chunk.id for chunk in chunks}) == 1
            assert {chunk.model for chunk in chunks} == {model}
            assert chunks[-1].choices[0].finish_reason == "stop"
            assert re.findall(r"marker-(\d+)-", said) == [str(number)] * 20
            return chunks[0].id

        return await asyncio.gather(*(ask(number) for number in range(200)))

    assert len(set(run(gateway, use))) == 200


def ended(gateway, marker):
    """How the provider's request that carries `marker` has ended."""
    return next((request["end"] for request in gateway.provider.requests() if marker in request["body"]), None)


def arrived(gateway, marker):
    return any(marker in request["body"] for request in gateway.provider.requests())


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("stream", [False, True])
def test_cancelled_before_the_answer(gateway, name, stream):
    marker = f"cancelled-before-{name}-{stream}"
    gateway.provider.script("script", {"model": MODELS[name]}, head_delay_ms=3_600_000)

    async def use(client):
        create = client.chat.completions.create(model=MODELS[name], messages=hello(marker), stream=stream)
        task = asyncio.create_task(create)
        await asyncio.to_thread(wait_for, "the request arrives", lambda: arrived(gateway, marker), 10)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        is_gone = lambda: ended(gateway, marker) == "client_gone"
        await asyncio.to_thread(wait_for, "the provider's request is cancelled", is_gone, 10)

    run(gateway, use)


@pytest.mark.parametrize("name", MODELS)
def test_cancelled_within_the_stream(gateway, name):
    marker = f"cancelled-within-{name}"
    gateway.provider.script("endless", {"model": MODELS[name]}, every_ms=20)

    async def use(client):
        seen = asyncio.Event()

        async def read():
            stream = await client.chat.completions.create(model=MODELS[name], messages=hello(marker), stream=True)
            async with stream:
                async for _ in stream:
                    seen.set()

        task = asyncio.create_task(read())
        await asyncio.wait_for(seen.wait(), 10)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        is_gone = lambda: ended(gateway, marker) == "client_gone"
        await asyncio.to_thread(wait_for, "the provider's request is cancelled", is_gone, 10)

    run(gateway, use)


@pytest.mark.parametrize("name", MODELS)
def test_stream_helper(gateway, name):
    calls = [{"name": "weather", "arguments": {"city": "Bern"}}]
    gateway.provider.script("tool_calls", {"model": MODELS[name]}, calls=calls, content="Let me see.")
    tool = pydantic_function_tool(Weather, name="weather")

    async def use(client):
        async with client.chat.completions.stream(model=MODELS[name], messages=hello(), tools=[tool]) as stream:
            kinds = [event.type async for event in stream]
            return kinds, await stream.get_final_completion()

    kinds, final = run(gateway, use)
    assert {"content.delta", "content.done", "tool_calls.function.arguments.done"} <= set(kinds)
    assert final.choices[0].message.content == "Let me see."
    assert final.choices[0].message.tool_calls[0].function.name == "weather"


def test_errors_have_the_same_classes(gateway):
    async def use(client):
        asked = [
            client.chat.completions.create(model=model, messages=hello()) for model in ["gpt-99", "fake-error-503"]
        ]
        return await asyncio.gather(*asked, return_exceptions=True)

    not_found, failed = run(gateway, use)
    assert type(not_found) is openai.NotFoundError
    assert type(failed) is openai.InternalServerError
