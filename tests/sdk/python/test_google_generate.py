"""Generated content with the real `google-genai` package against providers of every format: whole, streamed, in a given
shape, blocked, and the bytes of its streams. Checks Z1, Z3, Z4 and Z7 in `docs/CONFORMANCE.md` section 10."""

import asyncio
import enum
import json
import socket
from typing import Optional
from urllib.parse import urlsplit

import httpx
import pytest
from conftest import wait_for
from google.genai import errors, types
from pydantic import BaseModel
from vendors import MODELS, NOT_GEMINI, PDF, PDF_BYTES, PNG, PNG_BYTES, calling, counts, google_client, of, saying, sent

VERSIONS = pytest.mark.parametrize("version", ["v1", "v1beta"])


@VERSIONS
@of(MODELS)
def test_generate_and_stream(gateway, model, version):
    gateway.provider.forget()
    client = google_client(gateway, version)
    said = {"content": "one two 🚀 three", **counts(gateway, 12, 4)}
    saying(gateway, model, **said)
    answer = client.models.generate_content(model=model, contents="Hello")
    assert answer.text == "one two 🚀 three"
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    assert answer.candidates[0].content.role == "model"
    assert answer.model_version == model and answer.response_id
    saying(gateway, model, **said)
    chunks = list(client.models.generate_content_stream(model=model, contents="Hello"))
    assert "".join(chunk.text or "" for chunk in chunks) == "one two 🚀 three"
    assert len(chunks) > 2
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
    for usage in (answer.usage_metadata, chunks[-1].usage_metadata):
        assert (usage.prompt_token_count, usage.candidates_token_count, usage.total_token_count) == (12, 4, 16)
    assert len({chunk.response_id for chunk in chunks}) == 1
    client.close()


@of(MODELS)
def test_a_model_may_stand_with_its_collection(google, model):
    assert google.models.generate_content(model=f"models/{model}", contents="Hello").text


@of(MODELS)
def test_settings(google, gateway, model):
    config = types.GenerateContentConfig(
        system_instruction=["Be kind.", "Be brief."],
        temperature=0.5,
        max_output_tokens=77,
        stop_sequences=["END"],
        top_p=0.9,
    )
    google.models.generate_content(model=model, contents="Hello", config=config)
    request = sent(gateway)
    assert "Be kind." in request.text and "Be brief." in request.text
    if model == MODELS["gemini"]:
        generation = request.body["generationConfig"]
        assert (generation["maxOutputTokens"], generation["temperature"]) == (77, 0.5)
        return
    assert 77 in [request.body.get(name) for name in ("max_tokens", "max_completion_tokens", "max_output_tokens")]
    assert request.body["temperature"] == 0.5


@of(MODELS)
def test_turns_and_media(google, gateway, model):
    contents = [
        types.Content(role="user", parts=[types.Part(text="First question")]),
        types.Content(role="model", parts=[types.Part(text="First answer")]),
        types.Content(
            role="user",
            parts=[
                types.Part(text="What is this?"),
                types.Part.from_bytes(data=PNG_BYTES, mime_type="image/png"),
                types.Part.from_bytes(data=PDF_BYTES, mime_type="application/pdf"),
            ],
        ),
    ]
    assert google.models.generate_content(model=model, contents=contents).text
    text = sent(gateway).text
    for part in ("First question", "First answer", "What is this?"):
        assert part in text
    # The package writes a variant of base64 that the other providers do not read.
    plain = text.replace("-", "+").replace("_", "/") if model == MODELS["gemini"] else text
    assert PNG in plain and PDF in plain


class Kind(enum.Enum):
    CAPITAL = "capital"
    TOWN = "town"


class Place(BaseModel):
    city: str
    kind: Kind


class Trip(BaseModel):
    places: list[Place]
    nights: int
    note: Optional[str] = None


@of(MODELS)
@pytest.mark.parametrize("kind", [Trip, list[Place]], ids=["object", "list"])
def test_answers_in_a_shape(google, gateway, model, kind):
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=kind)
    if kind is not Trip:
        saying(gateway, model, json.dumps([{"city": "Paris", "kind": "capital"}]))
        if model != MODELS["gemini"]:
            # Other providers give objects only.
            saying(gateway, model, json.dumps([{"city": "Paris", "kind": "capital"}]))
    answer = google.models.generate_content(model=model, contents="Where to?", config=config)
    if kind is Trip:
        assert isinstance(answer.parsed, Trip)
        assert answer.parsed.nights == 1
    else:
        assert answer.parsed == [Place(city="Paris", kind=Kind.CAPITAL)]


@of(MODELS)
def test_answers_in_a_json_schema(google, model):
    config = types.GenerateContentConfig(
        response_mime_type="application/json", response_json_schema=Trip.model_json_schema()
    )
    answer = google.models.generate_content(model=model, contents="Where to?", config=config)
    assert Trip.model_validate_json(answer.text).nights == 1


@of(MODELS)
def test_any_json(google, gateway, model):
    saying(gateway, model, '{"answer": 42}')
    config = types.GenerateContentConfig(response_mime_type="application/json")
    answer = google.models.generate_content(model=model, contents="As JSON", config=config)
    assert json.loads(answer.text) == {"answer": 42}


@of(MODELS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_thoughts(google, gateway, model, stream):
    saying(gateway, model, "It is warm.", thinking="I have to think.")
    config = types.GenerateContentConfig(
        thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=2000)
        if model != MODELS["gemini"]
        else types.ThinkingConfig(include_thoughts=True, thinking_level="LOW")
    )
    if stream:
        answers = list(google.models.generate_content_stream(model=model, contents="Hello", config=config))
    else:
        answers = [google.models.generate_content(model=model, contents="Hello", config=config)]
    parts = [part for answer in answers for part in answer.candidates[0].content.parts or []]
    assert "".join(part.text or "" for part in parts if part.thought) == "I have to think."
    assert "".join(part.text or "" for part in parts if not part.thought) == "It is warm."


@of(MODELS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_blocked_prompt(google, gateway, model, stream):
    """A blocked answer has no text and raises nothing: its reason says why."""
    gateway.provider.script("blocked", {"model": model}, reason="SAFETY")
    if stream:
        answers = list(google.models.generate_content_stream(model=model, contents="Hello"))
    else:
        answers = [google.models.generate_content(model=model, contents="Hello")]
    assert "".join(answer.text or "" for answer in answers if answer.candidates) == ""
    last = answers[-1]
    if model == MODELS["gemini"]:
        assert last.prompt_feedback.block_reason == types.BlockedReason.SAFETY
        assert not last.candidates
    else:
        feedback = last.prompt_feedback and last.prompt_feedback.block_reason
        assert feedback or last.candidates[0].finish_reason == types.FinishReason.SAFETY


@of(MODELS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_answer_that_is_cut_short(google, gateway, model, stream):
    saying(gateway, model, "one two", finish="length")
    if stream:
        last = list(google.models.generate_content_stream(model=model, contents="Hello"))[-1]
    else:
        last = google.models.generate_content(model=model, contents="Hello")
    assert last.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS


def raw_stream(gateway, model, path=":streamGenerateContent?alt=sse", tools=()):
    """The bytes of a stream as they come from the socket, without the frames of the chunked encoding."""
    address = urlsplit(gateway.url)
    body = json.dumps({"contents": [{"role": "user", "parts": [{"text": "Hello"}]}], "tools": list(tools)}).encode()
    head = (
        f"POST /v1beta/models/{model}{path} HTTP/1.1\r\nhost: {address.netloc}\r\nx-goog-api-key: {gateway.key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(head.encode() + body)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, rest = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), received
    assert b"transfer-encoding: chunked" in head.lower(), head
    bytes_, rest = b"", rest
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        bytes_, rest = bytes_ + rest[:length], rest[length + 2 :]
    return head.lower(), bytes_


WEATHER = {
    "functionDeclarations": [
        {
            "name": "weather",
            "parametersJsonSchema": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        }
    ]
}


@of(MODELS)
@pytest.mark.parametrize("tools", [(), (WEATHER,)], ids=["text", "call"])
def test_no_byte_in_a_stream_but_events(google, gateway, model, tools):
    """The package trips over comments, names of events, and `[DONE]`."""
    if tools:
        calling(gateway, model, ("weather", {"city": "Paris"}))
    else:
        saying(gateway, model, "one two 🚀 three", thinking="Well.")
    head, stream = raw_stream(gateway, model, tools=tools)
    assert b"content-type: text/event-stream" in head
    events = stream.split(b"\r\n\r\n")
    assert events.pop() == b""
    for event in events:
        assert event.startswith(b"data: {") and event.endswith(b"}"), event
        assert b"\n" not in event and b"\r" not in event
        json.loads(event.removeprefix(b"data: "))


@of(MODELS)
@pytest.mark.parametrize("fault", [{"error_after_chunks": 2}, {"cut": {"inside_chunk": 2}}], ids=["error", "cut"])
def test_the_end_of_a_broken_stream_is_an_event_too(google, gateway, model, fault):
    saying(gateway, model, "one two three four", **fault)
    _, stream = raw_stream(gateway, model)
    events = stream.split(b"\r\n\r\n")
    assert events.pop() == b""
    assert all(event.startswith(b"data: {") and b"\n" not in event for event in events)
    error = json.loads(events[-1].removeprefix(b"data: "))["error"]
    assert isinstance(error["code"], int) and error["message"] and error["status"]


@of(MODELS)
def test_a_stream_as_an_array(google, gateway, model):
    """Without `alt=sse` the stream is one JSON array."""
    saying(gateway, model, "one two three")
    answer = httpx.post(
        f"{gateway.url}/v1beta/models/{model}:streamGenerateContent",
        json={"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]},
        headers={"x-goog-api-key": gateway.key},
    )
    assert answer.headers["content-type"].startswith("application/json")
    chunks = answer.json()
    assert isinstance(chunks, list) and len(chunks) > 1
    parts = [part for chunk in chunks for part in chunk["candidates"][0]["content"].get("parts", [])]
    assert "".join(part.get("text", "") for part in parts) == "one two three"


@of(MODELS)
def test_async(gateway, model):
    async def use():
        client = google_client(gateway).aio
        whole = await client.models.generate_content(model=model, contents="Hello")
        stream = await client.models.generate_content_stream(model=model, contents="Hello")
        pieces = [chunk.text async for chunk in stream]
        with pytest.raises(errors.ClientError):
            await client.models.generate_content(model="gemini-99", contents="Hello")
        await client.aclose()
        return whole.text, pieces

    text, pieces = asyncio.run(use())
    assert "".join(piece or "" for piece in pieces) == text
    assert len(pieces) > 2


@of(MODELS)
def test_leaving_a_stream_cancels_it(google, gateway, model):
    gateway.provider.script("endless", {"model": model}, every_ms=20)

    async def use():
        client = google_client(gateway).aio
        stream = await client.models.generate_content_stream(model=model, contents="Hello")
        async for chunk in stream:
            assert chunk.text
            break
        await stream.aclose()
        await client.aclose()

    asyncio.run(use())
    wait_for("the provider's request is cancelled", lambda: sent(gateway).end == "client_gone", 10)


@of(NOT_GEMINI)
def test_fields_that_cannot_be_said(gateway, model):
    body = {
        "contents": [{"parts": [{"text": "Hello"}]}],
        "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
        "generation_config": {"max_output_tokens": 50, "topK": 3},
    }
    answer = httpx.post(f"{gateway.url}/v1beta/models/{model}%3AgenerateContent?key={gateway.key}", json=body)
    assert answer.status_code == 200, answer.text
    assert "safetySettings" in answer.headers["x-orchestration-dropped"]
    assert 50 in sent(gateway).body.values()
