"""Which exception of the `anthropic` package an answer becomes, before and within a stream, from providers of every
format. Checks A7 and A8 in `docs/CONFORMANCE.md` section 10."""

import anthropic
import httpx
import pytest
from conftest import BODY_LIMIT
from vendors import MODELS, anthropic_client, of, saying

HELLO = [{"role": "user", "content": "Hello"}]
FORMATS = list(MODELS)


def create(client, model, stream=False, messages=HELLO, **options):
    return client.messages.create(model=model, max_tokens=100, messages=messages, stream=stream, **options)


def fails(client, kind, model, stream=False, **options):
    """The exception in which a message ends, which has to be of exactly this class."""
    with pytest.raises(anthropic.APIStatusError) as caught:
        create(client, model, stream, **options)
    error = caught.value
    assert type(error) is kind, repr(error)
    assert error.request_id == error.response.headers["x-request-id"]
    assert error.body["type"] == "error"
    assert error.body["error"]["message"]
    return error


# What each error becomes for a client of Anthropic's. Errors about the gateway's own key do not blame the client.
STATUSES = [
    (400, anthropic.BadRequestError, 400, "invalid_request_error"),
    (401, anthropic.InternalServerError, 502, "api_error"),
    (403, anthropic.InternalServerError, 502, "api_error"),
    (404, anthropic.NotFoundError, 404, "not_found_error"),
    (413, anthropic.ContentTooLargeError, 413, "request_too_large"),
    (429, anthropic.RateLimitError, 429, "rate_limit_error"),
    (500, anthropic.InternalServerError, None, "api_error"),
    (529, anthropic.OverloadedError, 529, "overloaded_error"),
]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("status", "kind", "told", "word"), STATUSES, ids=[status for status, *_ in STATUSES])
@pytest.mark.parametrize("upstream", FORMATS)
def test_errors_of_the_provider(claude, upstream, status, kind, told, word, stream):
    if status == 529 and upstream != "anthropic":
        # The others say 503 when they are overloaded.
        status = 503
    error = fails(claude, kind, f"{upstream}/fake-error-{status}", stream)
    assert error.body["error"]["type"] == word
    assert error.type == word
    if told:
        assert error.status_code == told
    else:
        assert error.status_code >= 500
    assert "sk-upstream" not in str(error)


@of(MODELS)
def test_a_wrong_key(gateway, model):
    for credential in ({"api_key": "sk-wrong"}, {"api_key": None, "auth_token": "sk-wrong"}):
        with anthropic_client(gateway, **credential) as client:
            error = fails(client, anthropic.AuthenticationError, model)
            assert (error.status_code, error.type) == (401, "authentication_error")
            with pytest.raises(anthropic.AuthenticationError):
                client.models.list()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_unknown_model(claude, stream):
    error = fails(claude, anthropic.NotFoundError, "claude-99", stream)
    assert error.type == "not_found_error"
    assert "claude-99" in error.message


@of(MODELS)
def test_a_body_over_the_limit(claude, model):
    error = fails(
        claude, anthropic.ContentTooLargeError, model, messages=[{"role": "user", "content": "x" * BODY_LIMIT}]
    )
    assert (error.status_code, error.type) == (413, "request_too_large")


@of(MODELS)
def test_a_body_that_is_no_json(gateway, model):
    answer = httpx.post(
        f"{gateway.url}/v1/messages",
        content=b'{"model": "' + model.encode() + b'", "messages": [}',
        headers={"x-api-key": gateway.key, "content-type": "application/json", "anthropic-version": "2023-06-01"},
    )
    assert answer.status_code == 400
    document = answer.json()
    assert document["type"] == "error" and document["error"]["type"] == "invalid_request_error"
    assert document["request_id"] == answer.headers["x-request-id"]


@of(MODELS)
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "wizard", "content": "Hello"}]}, "role"),
        ({"messages": [{"role": "user", "content": [{"type": "hologram"}]}]}, "message"),
    ],
    ids=["max_tokens", "empty", "role", "block"],
)
def test_requests_that_cannot_be_meant(claude, model, body, field):
    """The message names the place as Anthropic's own does."""
    error = fails(claude, anthropic.BadRequestError, model, extra_body=body)
    assert error.type == "invalid_request_error"
    assert field in error.message


@pytest.mark.parametrize("upstream", FORMATS)
def test_an_error_within_the_stream_is_raised(claude, upstream):
    seen = []
    with pytest.raises(anthropic.APIStatusError) as caught:
        with claude.messages.stream(model=f"{upstream}/fake-stream-error", max_tokens=100, messages=HELLO) as stream:
            for text in stream.text_stream:
                seen.append(text)
    assert seen
    assert caught.value.body["type"] == "error"
    assert caught.value.body["error"]["message"]

    with pytest.raises(anthropic.APIStatusError):
        list(create(claude, f"{upstream}/fake-stream-error", stream=True))


@pytest.mark.parametrize("upstream", FORMATS)
def test_a_stream_that_breaks_off_is_an_error(claude, upstream):
    """A stream that is cut is not the end of a short answer."""
    with pytest.raises(anthropic.APIError) as caught:
        with claude.messages.stream(model=f"{upstream}/fake-cut", max_tokens=100, messages=HELLO) as stream:
            stream.get_final_message()
    assert "closed" in str(caught.value) or "complete" in str(caught.value)


@pytest.mark.parametrize("upstream", FORMATS)
def test_an_answer_that_breaks_off_is_an_error(claude, upstream):
    error = fails(claude, anthropic.InternalServerError, f"{upstream}/fake-cut")
    assert error.type == "api_error"


@pytest.mark.parametrize("upstream", FORMATS)
def test_no_answer_at_all(claude, upstream):
    error = fails(claude, anthropic.InternalServerError, f"{upstream}/fake-cut-head", stream=True)
    assert error.status_code == 502


def test_the_wait_that_the_provider_asks_for(claude):
    error = fails(claude, anthropic.RateLimitError, "anthropic/fake-error-429")
    assert int(error.response.headers["retry-after"]) >= 1


@of(MODELS)
def test_the_package_tries_again(gateway, model):
    """A client that lets the package retry does not see a failure that passes."""
    gateway.provider.forget()
    saying(gateway, model, status=400, error={"type": "invalid_request_error", "message": "Try again."})
    with anthropic_client(gateway, max_retries=2) as client:
        with pytest.raises(anthropic.BadRequestError):
            create(client, model)
    # A mistake of the client's is sent once.
    assert len(gateway.provider.requests()) == 1


@of(MODELS)
def test_a_prompt_that_is_too_long(claude, gateway, model):
    words = {
        "openai": {
            "message": "This model's maximum context length is 128000 tokens, and your messages have 130000.",
            "type": "invalid_request_error",
            "param": "messages",
            "code": "context_length_exceeded",
        },
        "anthropic": {"type": "invalid_request_error", "message": "prompt is too long: 210000 tokens > 200000 maximum"},
        "gemini": {
            "code": 400,
            "message": "The input token count (2000000) exceeds the maximum number of tokens allowed (1048575).",
            "status": "INVALID_ARGUMENT",
        },
    }
    name = next(name for name, its in MODELS.items() if its == model)
    said = words.get(name, words["openai"])
    saying(gateway, model, status=400, error=said)
    error = fails(claude, anthropic.BadRequestError, model)
    assert error.type == "invalid_request_error"
    # Claude Code knows by these words that it has to shorten the conversation.
    assert said["message"] in error.message
