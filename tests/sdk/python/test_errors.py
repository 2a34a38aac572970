"""Which exception of the `openai` package an answer becomes, what it carries, and when the package tries again."""

import openai
import pytest
from conftest import BODY_LIMIT, hello, raw


def fails(client, kind, model="gpt-4o", **options):
    """The exception in which a chat completion ends, which has to be of exactly this class."""
    with pytest.raises(openai.APIError) as caught:
        client.chat.completions.create(model=model, messages=options.pop("messages", hello()), **options)
    assert type(caught.value) is kind, repr(caught.value)
    if isinstance(caught.value, openai.APIStatusError):
        assert caught.value.request_id == raw(caught.value).headers["x-request-id"]
        assert isinstance(caught.value.body, dict), caught.value.body
    return caught.value


def test_unknown_key(gateway):
    with openai.OpenAI(base_url=gateway.base_url, api_key="sk-wrong", max_retries=0) as client:
        error = fails(client, openai.AuthenticationError)
        assert (error.status_code, error.code, error.type) == (401, "invalid_api_key", "invalid_request_error")
        with pytest.raises(openai.AuthenticationError):
            client.models.list()


@pytest.mark.parametrize("stream", [False, True])
def test_unknown_model(client, stream):
    error = fails(client, openai.NotFoundError, "gpt-99", stream=stream)
    assert (error.status_code, error.code, error.param) == (404, "model_not_found", "model")
    assert "gpt-99" in error.message


def test_bad_json(gateway):
    with openai.OpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=0) as client:
        with pytest.raises(openai.BadRequestError) as caught:
            client.post(
                "/chat/completions",
                cast_to=object,
                content=b'{"model": "gpt-4o", "messages": [}',
                options={"headers": {"content-type": "application/json"}},
            )
    assert caught.value.status_code == 400
    assert caught.value.type == "invalid_request_error"
    assert any(character.isdigit() for character in caught.value.message), caught.value.message


def test_body_over_the_limit(client):
    error = fails(client, openai.APIStatusError, messages=hello("x" * (BODY_LIMIT + 1)))
    assert error.status_code == 413
    assert error.type == "invalid_request_error"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, openai.BadRequestError),
        (422, openai.UnprocessableEntityError),
    ],
)
def test_refusals_of_the_provider(client, status, kind, stream):
    error = fails(client, kind, f"fake-error-{status}", stream=stream)
    assert (error.status_code, error.type) == (status, "invalid_request_error")
    assert "The request was not understood." in error.message


def test_rate_limit_of_the_provider(client):
    error = fails(client, openai.RateLimitError, "fake-error-429")
    assert (error.status_code, error.code) == (429, "rate_limit_exceeded")
    assert "Rate limit reached" in error.message


@pytest.mark.parametrize(
    ("status", "words"), [(500, "The server had an error"), (503, "The engine is currently overloaded")]
)
def test_failures_of_the_provider(client, status, words):
    error = fails(client, openai.InternalServerError, f"fake-error-{status}")
    assert error.status_code == status
    assert words in error.message


@pytest.mark.parametrize("model", ["dead", "fake-cut-head"])
def test_provider_that_cannot_be_reached(client, model):
    error = fails(client, openai.InternalServerError, model)
    assert error.status_code == 502
    assert error.code and error.type and error.message


@pytest.mark.parametrize("stream", [False, True])
def test_provider_that_is_silent(client, stream):
    error = fails(client, openai.InternalServerError, "fake-silent", stream=stream)
    assert error.status_code == 504
    assert error.code and error.message


def test_timeout_of_the_client(client):
    fails(client, openai.APITimeoutError, extra_body={"fake": {"head_delay_ms": 60_000}}, timeout=0.5)


def test_stream_that_breaks_off(client):
    stream = client.chat.completions.create(model="fake-cut", messages=hello(), stream=True)
    text = ""
    with pytest.raises(openai.APIError) as caught:
        for chunk in stream:
            text += chunk.choices[0].delta.content or ""
    assert text == "Hello from the "
    # An error event says what happened. Some clients would take a broken connection for the end.
    assert type(caught.value) is openai.APIError, repr(caught.value)
    assert caught.value.message


def test_stream_with_an_error_of_the_provider(client):
    stream = client.chat.completions.create(model="fake-stream-error", messages=hello(), stream=True)
    with pytest.raises(openai.APIError, match="The server had an error"):
        list(stream)


def test_the_package_tries_again_after_a_failure(counting):
    client, sent = counting(max_retries=2)
    fails(client, openai.InternalServerError, "fake-error-500")
    assert [request.headers["x-stainless-retry-count"] for request in sent] == ["0", "1", "2"]


def test_what_the_client_got_wrong_is_not_tried_again(counting):
    for model, kind in [("gpt-99", openai.NotFoundError), ("fake-error-400", openai.BadRequestError)]:
        client, sent = counting(max_retries=2)
        fails(client, kind, model)
        assert len(sent) == 1, model


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_upstream_key_is_not_the_clients_and_is_not_tried_again(counting, gateway, status):
    model = f"fake-error-{status}"
    client, sent = counting(max_retries=2)
    error = fails(client, openai.InternalServerError, model)
    assert error.status_code == 502
    assert raw(error).headers["x-should-retry"] == "false"
    assert len(sent) == 1
    assert len(gateway.provider.of_model(model)) == 1
    assert "sk-upstream" not in raw(error).text
