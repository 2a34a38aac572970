"""What a client sees of a provider that fails within a stream, and what a provider sees of a client that leaves (checks
P8, P9 and P16 in `docs/CONFORMANCE.md` section 10)."""

import openai
import pytest
from conftest import hello, wait_for
from reading import Gathered


def breaks_off(client, model, **options):
    """Reads a stream that ends in an error. Returns what came before, and the error."""
    whole = Gathered()
    stream = client.chat.completions.create(model=model, messages=hello(), stream=True, **options)
    with pytest.raises(openai.APIError) as caught:
        for chunk in stream:
            whole.add(chunk)
    # An error event says what happened. Some clients would take a broken connection for the end.
    assert type(caught.value) is openai.APIError, repr(caught.value)
    assert caught.value.message and caught.value.type
    assert isinstance(caught.value.code, str | None)
    assert whole.finish == [], "an answer that failed has no reason to have ended"
    return whole, caught.value


# An error as the first event, as each API sends it within an answer of status 200.
FIRST = {
    "openai": 'data: {"error":{"message":"Too busy.","type":"server_error","param":null,"code":null}}\n\n',
    "responses": 'event: error\ndata: {"type":"error","sequence_number":0,"error":{"type":"server_error","code":"server_error",'
    '"message":"Too busy.","param":null}}\n\n',
    "anthropic": 'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Too busy."}}\n\n',
    "gemini": 'data: {"error":{"code":503,"message":"Too busy.","status":"UNAVAILABLE"}}\r\n\r\n',
}


@pytest.mark.parametrize("bare", [False, True])
def test_error_within_a_stream(client, upstream, bare):
    """P8: the error may also be bare JSON between the events, as Gemini was seen to send it."""
    # An error of OpenAI's own API passes through, so it has OpenAI's words.
    code = None if upstream.name == "openai" else 503
    error = {"code": code, "message": "The model is overloaded.", "status": "UNAVAILABLE", "type": "overloaded_error"}
    model = upstream.fault("fake-stream-error")
    upstream.says(
        model="fake-stream-error", content="one two three", error_after_chunks=2, error=error, bare_error=bare
    )
    whole, caught = breaks_off(client, model)
    assert whole.text == "one two "
    # No other provider was seen to do that. From them it is an error without the provider's words.
    assert "The model is overloaded." in caught.message or (bare and upstream.name != "gemini")


def test_error_before_all_else(client, upstream):
    """An error before the first content has an HTTP status, by which clients retry."""
    upstream.says("sse", model="fake-stream-error", events=FIRST[upstream.name])
    with pytest.raises(openai.APIError, match="Too busy") as caught:
        list(client.chat.completions.create(model=upstream.fault("fake-stream-error"), messages=hello(), stream=True))
    # An answer that passes through has been read no further than to its first byte.
    assert isinstance(caught.value, openai.InternalServerError) or upstream.name == "openai"


CUTS = {
    "between frames": {"after_chunks": 2},
    "within a frame": {"inside_chunk": 2},
    "before the reason": {"after_chunks": 50},
}


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_truncated(client, upstream, cut):
    """P9: a connection that closes is an error, and never the end of an answer."""
    upstream.says(model="fake-cut", content="one two three four", cut=cut)
    whole, _ = breaks_off(client, upstream.fault("fake-cut"), stream_options={"include_usage": True})
    assert "one two three four".startswith(whole.text)
    assert whole.text.startswith("one")
    assert whole.usage == []


def test_truncated_within_a_call(client, upstream):
    """Half of a call's arguments is no call."""
    calls = [{"name": "weather", "arguments": {"city": "Llanfairpwllgwyngyll"}}]
    upstream.says("tool_calls", model="fake-cut", calls=calls, cut={"after_chunks": 2})
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
    if upstream.name == "gemini":
        # Gemini sends whole calls only, and the stream ends right behind this one, also without a reason.
        upstream.provider.forget()
        upstream.says("tool_calls", model="fake-cut", calls=calls, signature="c2lnbmF0dXJl", cut={"after_chunks": 1})
    breaks_off(client, upstream.fault("fake-cut"), tools=[tool])


def test_truncated_for_the_helper(client, upstream):
    with client.chat.completions.stream(model=upstream.fault("fake-cut"), messages=hello()) as stream:
        with pytest.raises(openai.APIError):
            stream.until_done()


def test_leaving(client, upstream):
    """P16: the provider's request ends as soon as the client has closed its stream."""
    upstream.says("endless", every_ms=20)
    stream = client.chat.completions.create(model=upstream.model, messages=hello("leaving"), stream=True)
    next(stream)
    stream.close()
    gone = lambda: upstream.provider.requests()[-1]["end"] == "client_gone"
    wait_for("the provider's request is cancelled", gone, 1)


def test_leaving_before_the_answer(gateway, upstream):
    """The provider's request also ends if the client gives up before the head of the answer has come."""
    upstream.says(head_delay_ms=3_600_000)
    options = {"base_url": gateway.base_url, "api_key": gateway.key, "max_retries": 0}
    with openai.OpenAI(**options) as impatient:
        with pytest.raises(openai.APITimeoutError):
            impatient.chat.completions.create(model=upstream.model, messages=hello(), timeout=0.3)
    gone = lambda: upstream.provider.requests()[-1]["end"] == "client_gone"
    wait_for("the provider's request is cancelled", gone, 1)


def test_connection_is_used_again_after_a_stream_that_was_left(counting, upstream):
    client, _ = counting(max_retries=0)
    upstream.says("endless", every_ms=20)
    stream = client.chat.completions.create(model=upstream.model, messages=hello(), stream=True)
    next(stream)
    stream.close()
    for number in range(3):
        upstream.says("saying", text=f"again {number}")
        answer = client.chat.completions.create(model=upstream.model, messages=hello())
        assert answer.choices[0].message.content == f"again {number}"


def test_deltas_arrive_as_they_are_said(client, upstream):
    """Nothing is held back until the end: the first word is here while the provider still speaks."""
    upstream.says("endless", every_ms=20)
    stream = client.chat.completions.create(model=upstream.model, messages=hello(), stream=True)
    assert next(chunk for chunk in stream if chunk.choices[0].delta.content)
    assert upstream.provider.requests()[-1]["end"] is None
    stream.close()
