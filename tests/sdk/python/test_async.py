"""The asynchronous client of the `openai` package: many at once, streams, and tasks that are cancelled."""

import asyncio

import openai
from conftest import hello, wait_for


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


def ended(gateway, marker):
    """How the provider's request that carries `marker` has ended."""
    return next((request["end"] for request in gateway.provider.requests() if marker in request["body"]), None)


def arrived(gateway, marker):
    return any(marker in request["body"] for request in gateway.provider.requests())


def test_cancelled_before_the_answer(gateway):
    async def use(client):
        script = {"fake": {"head_delay_ms": 3_600_000}, "user": "cancelled-before"}
        create = client.chat.completions.create(model="gpt-4o", messages=hello(), extra_body=script)
        task = asyncio.create_task(create)
        await asyncio.to_thread(wait_for, "the request arrives", lambda: arrived(gateway, "cancelled-before"), 10)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        is_gone = lambda: ended(gateway, "cancelled-before") == "client_gone"
        await asyncio.to_thread(wait_for, "the provider's request is cancelled", is_gone, 10)

    run(gateway, use)


def test_cancelled_within_the_stream(gateway):
    async def use(client):
        seen = asyncio.Event()

        async def read():
            script = {"user": "cancelled-within"}
            stream = await client.chat.completions.create(
                model="fake-endless", messages=hello(), stream=True, extra_body=script
            )
            async with stream:
                async for _ in stream:
                    seen.set()

        task = asyncio.create_task(read())
        await asyncio.wait_for(seen.wait(), 10)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        is_gone = lambda: ended(gateway, "cancelled-within") == "client_gone"
        await asyncio.to_thread(wait_for, "the provider's request is cancelled", is_gone, 10)

    run(gateway, use)


def test_errors_have_the_same_classes(gateway):
    async def use(client):
        asked = [
            client.chat.completions.create(model=model, messages=hello()) for model in ["gpt-99", "fake-error-503"]
        ]
        return await asyncio.gather(*asked, return_exceptions=True)

    not_found, failed = run(gateway, use)
    assert type(not_found) is openai.NotFoundError
    assert type(failed) is openai.InternalServerError
