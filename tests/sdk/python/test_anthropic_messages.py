"""Messages with the real `anthropic` package against providers of every format: whole, streamed, cancelled; what the
gateway asks the provider in its own words. Checks A1 and A9 in `docs/CONFORMANCE.md` section 10."""

import asyncio
import base64
import json

import anthropic
import pytest
from conftest import wait_for
from vendors import (
    MODELS,
    NOT_ANTHROPIC,
    PDF,
    PNG,
    anthropic_client,
    calling,
    check_order,
    counts,
    of,
    saying,
    sent,
    shape,
)

HELLO = [{"role": "user", "content": "Hello"}]
TOOL = {
    "name": "weather",
    "description": "The weather in a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@of(MODELS)
def test_create(claude, gateway, model):
    saying(gateway, model, "Bonjour 🚀", **counts(gateway, 12, 3))
    message = claude.messages.create(model=model, max_tokens=100, messages=HELLO)
    assert shape(message) == {
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": "Bonjour 🚀"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": (12, 3),
    }
    assert message.id and message._request_id


@of(MODELS)
def test_raw_events(claude, gateway, model):
    saying(gateway, model, "one two three", **counts(gateway, 12, 3))
    events = list(claude.messages.create(model=model, max_tokens=100, messages=HELLO, stream=True))
    check_order(events)
    deltas = [event.delta.text for event in events if event.type == "content_block_delta"]
    assert "".join(deltas) == "one two three" and len(deltas) > 1
    assert events[-2].delta.stop_reason == "end_turn"
    assert events[-2].usage.output_tokens == 3
    assert events[0].message.model == model


@of(MODELS)
@pytest.mark.parametrize("seed", [1, 2])
def test_stream_helper_gives_what_create_gives(claude, gateway, model, seed):
    options = {"model": model, "max_tokens": 100, "messages": HELLO}
    said = {"content": "naïve 🚀 日本語 " * 5, **counts(gateway, 40, 30, cached_tokens=10)}
    saying(gateway, model, **said)
    whole = claude.messages.create(**options)
    saying(gateway, model, **said, seed=seed)
    with claude.messages.stream(**options) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_message()
    assert "text" in kinds and kinds[-1] == "message_stop"
    assert shape(final) == shape(whole)
    for message in (whole, final):
        assert message.usage.input_tokens == 30
        assert message.usage.cache_read_input_tokens == 10


@of(MODELS)
def test_text_stream(claude, gateway, model):
    saying(gateway, model, "one two three")
    with claude.messages.stream(model=model, max_tokens=100, messages=HELLO) as stream:
        assert "".join(stream.text_stream) == "one two three"
        assert stream.get_final_text() == "one two three"


@of(MODELS)
def test_text_before_two_calls_in_a_stream(claude, gateway, model):
    calls = [("weather", {"city": "Paris, 🇫🇷"}), ("weather", {"city": "Rome"})]
    calling(gateway, model, *calls, content="Let me look.")
    events = list(claude.messages.create(model=model, max_tokens=100, messages=HELLO, tools=[TOOL], stream=True))
    check_order(events)
    started = [event.content_block.type for event in events if event.type == "content_block_start"]
    # If thoughts or calls are signed, the signatures are blocks that a client gives back without reading them.
    assert [kind for kind in started if kind != "redacted_thinking"] == ["text", "tool_use", "tool_use"]
    assert events[-2].delta.stop_reason == "tool_use"


@of(MODELS)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("script", "reason"),
    [({"finish": "length"}, "max_tokens"), ({"refusal": "I will not."}, "refusal")],
    ids=["length", "refusal"],
)
def test_stop_reasons(claude, gateway, model, stream, script, reason):
    saying(gateway, model, **script)
    options = {"model": model, "max_tokens": 5, "messages": HELLO}
    if stream:
        with claude.messages.stream(**options) as events:
            message = events.get_final_message()
    else:
        message = claude.messages.create(**options)
    assert message.stop_reason == reason
    assert isinstance(message.content, list)


def system_of(body):
    """The system prompt of a provider's request, whatever its format."""
    if "systemInstruction" in body:
        return [part["text"] for part in body["systemInstruction"]["parts"]]
    if "instructions" in body:
        return [body["instructions"]]
    if "system" in body:
        return [block["text"] for block in body["system"]] if isinstance(body["system"], list) else [body["system"]]
    messages = [message for message in body["messages"] if message["role"] in ("system", "developer")]
    texts = [message["content"] for message in messages]
    return [part["text"] for text in texts for part in (text if isinstance(text, list) else [{"text": text}])]


@of(MODELS)
@pytest.mark.parametrize("as_list", [False, True])
def test_system(claude, gateway, model, as_list):
    system = [{"type": "text", "text": "Be kind."}, {"type": "text", "text": "Be brief."}]
    claude.messages.create(model=model, max_tokens=100, messages=HELLO, system=system if as_list else "Be kind.")
    joined = "\n".join(system_of(sent(gateway).body))
    assert "Be kind." in joined
    assert ("Be brief." in joined) == as_list


@of(MODELS)
def test_turns(claude, gateway, model):
    turns = [
        {"role": "user", "content": "First question"},
        {"role": "assistant", "content": "First answer"},
        {"role": "user", "content": [{"type": "text", "text": "Second"}, {"type": "text", "text": "question"}]},
    ]
    message = claude.messages.create(model=model, max_tokens=100, messages=turns)
    assert message.content[0].text
    text = sent(gateway).text
    places = [text.index(words) for words in ("First question", "First answer", "Second", "question")]
    assert places[:3] == sorted(places[:3])


@of(MODELS)
def test_settings(claude, gateway, model):
    """Sampling is not part of the API since its version of 2026-10-21, so it comes from clients of the older version."""
    claude.messages.create(
        model=model,
        max_tokens=77,
        messages=HELLO,
        stop_sequences=["END"],
        extra_body={"temperature": 0.5},
        metadata={"user_id": "user-1"},
        extra_headers={"anthropic-version": "2023-06-01"},
    )
    body = sent(gateway).body
    if "generationConfig" in body:
        config = body["generationConfig"]
        assert (config["maxOutputTokens"], config["temperature"], config["stopSequences"]) == (77, 0.5, ["END"])
        return
    assert 77 in [body.get(name) for name in ("max_tokens", "max_completion_tokens", "max_output_tokens")]
    assert body["temperature"] == 0.5
    assert "user-1" in json.dumps(body)
    if model == MODELS["openai"]:
        assert body["stop"] == ["END"]


@of(NOT_ANTHROPIC)
def test_pieces_that_cannot_be_said_are_named(claude, gateway, model):
    answer = claude.messages.with_raw_response.create(
        model=model, max_tokens=77, messages=HELLO, extra_body={"top_k": 3}, stop_sequences=["END"]
    )
    dropped = answer.headers.get("x-orchestration-dropped", "").split(",")
    assert ("top_k" in dropped) == (model != MODELS["gemini"])
    assert ("stop_sequences" in dropped) == (model == MODELS["responses"])


IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
DOCUMENT = {
    "type": "document",
    "title": "report.pdf",
    "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
}
NOTES = "The notes say 42."
TEXT_DOCUMENT = {
    "type": "document",
    "title": "notes.txt",
    "source": {"type": "text", "media_type": "text/plain", "data": NOTES},
}


@of(MODELS)
@pytest.mark.parametrize(
    ("block", "mark"),
    [
        (IMAGE, PNG),
        (DOCUMENT, PDF),
        (TEXT_DOCUMENT, NOTES),
    ],
    ids=["image", "pdf", "text"],
)
def test_media(claude, gateway, model, block, mark):
    content = [{"type": "text", "text": "What is this?"}, block]
    message = claude.messages.create(model=model, max_tokens=100, messages=[{"role": "user", "content": content}])
    assert message.content[0].text
    body = sent(gateway).text
    # Gemini takes a text that has a media type in base64 only.
    assert mark in body or base64.b64encode(mark.encode()).decode() in body
    if block is IMAGE and model == MODELS["openai"]:
        assert f"data:image/png;base64,{PNG}" in body


@of(MODELS)
def test_a_picture_by_its_url(claude, gateway, model, picture):
    """The gateway fetches the picture for providers that do not fetch."""
    content = [{"type": "image", "source": {"type": "url", "url": picture}}, {"type": "text", "text": "What is this?"}]
    message = claude.messages.create(model=model, max_tokens=100, messages=[{"role": "user", "content": content}])
    assert message.content[0].text
    body = sent(gateway).text
    assert (picture in body) != (PNG in body)
    assert (PNG in body) == (model == MODELS["gemini"])


@of(MODELS)
def test_prefixes_of_the_path(gateway, model):
    """The base URL `https://gateway/claude` leads to the same API."""
    with anthropic_client(gateway, base_url=f"{gateway.url}/claude") as client:
        message = client.messages.create(model=model, max_tokens=100, messages=HELLO)
        assert message.content[0].text
        with client.messages.stream(model=model, max_tokens=100, messages=HELLO) as stream:
            assert stream.get_final_text()
        with pytest.raises(anthropic.NotFoundError):
            client.messages.create(model="claude-99", max_tokens=100, messages=HELLO)


def run(gateway, use):
    async def with_client():
        async with anthropic_client(gateway, anthropic.AsyncAnthropic) as client:
            return await use(client)

    return asyncio.run(with_client())


@of(MODELS)
def test_async(claude, gateway, model):
    async def use(client):
        whole = await client.messages.create(model=model, max_tokens=100, messages=HELLO)
        async with client.messages.stream(model=model, max_tokens=100, messages=HELLO) as stream:
            pieces = [text async for text in stream.text_stream]
            final = await stream.get_final_message()
        return whole, pieces, final

    whole, pieces, final = run(gateway, use)
    assert "".join(pieces) == whole.content[0].text == final.content[0].text
    assert len(pieces) > 1


def test_many_streams_at_once_stay_apart(claude, gateway):
    async def use(client):
        async def ask(number, model):
            # The text of the prompt comes back in the echo, so that each stream has a mark of its own.
            prompt = [{"role": "user", "content": f"mark-{number}-end"}]
            async with client.messages.stream(model=model, max_tokens=100, messages=prompt) as stream:
                return await stream.get_final_text()

        models = list(MODELS.values())
        return await asyncio.gather(*(ask(number, models[number % 4]) for number in range(40)))

    for model in MODELS.values():
        gateway.provider.script("echo", {"model": model}, "always")
    texts = run(gateway, use)
    for number, text in enumerate(texts):
        assert f"mark-{number}-end" in text
        assert text.count("mark-") == 1


@of(MODELS)
def test_leaving_a_stream_cancels_it(claude, gateway, model):
    gateway.provider.script("endless", {"model": model}, every_ms=20)
    with claude.messages.stream(model=model, max_tokens=100, messages=HELLO) as stream:
        for text in stream.text_stream:
            assert text
            break
    wait_for("the provider's request is cancelled", lambda: sent(gateway).end == "client_gone", 10)


@of(MODELS)
def test_cancelling_before_the_answer(claude, gateway, model):
    async def use(client):
        create = client.messages.create(model=model, max_tokens=100, messages=HELLO)
        task = asyncio.create_task(create)
        await asyncio.to_thread(wait_for, "the request arrives", gateway.provider.requests, 10)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()

    saying(gateway, model, head_delay_ms=3_600_000)
    run(gateway, use)
    wait_for("the provider's request is cancelled", lambda: sent(gateway).end == "client_gone", 10)
