"""The Responses API when something fails: classes of errors, errors within streams, clients that leave, and responses that only one provider keeps."""

import openai
import pytest
from conftest import Upstream, wait_for


def drain(stream):
    return [event.type for event in stream]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("status", "kind", "seen"),
    [
        (400, openai.BadRequestError, 400),
        (401, openai.InternalServerError, 502),
        (404, openai.NotFoundError, 404),
        (429, openai.RateLimitError, 429),
        (500, openai.InternalServerError, 500),
    ],
)
def test_classes(client, upstream, status, kind, seen, stream):
    with pytest.raises(openai.APIStatusError) as caught:
        client.responses.create(model=upstream.fault(f"fake-error-{status}"), input="Hello", stream=stream)
    error = caught.value
    assert (type(error), error.status_code) == (kind, seen)
    assert set(error.body) >= {"message", "type", "param", "code"} and error.body["message"]
    assert "sk-upstream" not in error.response.text


@pytest.mark.parametrize("fault", ["fake-stream-error", "fake-cut"])
def test_breaks_off(client, upstream, fault):
    """The stream ends in the pair of events that OpenAI itself sends, on which each client raises."""
    stream = client.responses.create(model=upstream.fault(fault), input="Hello", stream=True)
    seen = []
    with pytest.raises(openai.APIError) as caught:
        for event in stream:
            seen.append(event.type)
    assert type(caught.value) is openai.APIError
    assert caught.value.message
    assert "response.output_text.delta" in seen
    assert "response.completed" not in seen


@pytest.mark.parametrize("fault", ["fake-stream-error", "fake-cut"])
def test_breaks_off_for_the_helper(client, upstream, fault):
    with client.responses.stream(model=upstream.fault(fault), input="Hello") as stream:
        with pytest.raises(openai.APIError):
            stream.get_final_response()


def test_leaving(client, upstream):
    upstream.says("endless", every_ms=20)
    stream = client.responses.create(model=upstream.model, input="Hello", stream=True)
    next(stream)
    stream.close()
    gone = lambda: upstream.provider.requests()[-1]["end"] == "client_gone"
    wait_for("the provider's request is cancelled", gone, 1)


@pytest.mark.parametrize("model", ["chat-only", "claude-sonnet-4-5", "gemini-3-flash-preview"])
@pytest.mark.parametrize(
    "field", [{"previous_response_id": "resp_1"}, {"background": True}], ids=lambda field: [*field][0]
)
def test_what_only_its_owner_keeps(client, gateway, model, field):
    """Other providers keep no responses, so a reference to one is refused by name, before anything is sent."""
    upstream = Upstream("", model, gateway.provider)
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model=model, input="Hello", **field)
    assert caught.value.param == [*field][0]
    assert upstream.received == []


def test_kept_responses_go_on_at_their_owner(client, gateway):
    first = client.responses.create(model="gpt-4.1", input="Hello")
    again = client.responses.create(model="gpt-4.1", input="And?", previous_response_id=first.id)
    assert again.previous_response_id == first.id
