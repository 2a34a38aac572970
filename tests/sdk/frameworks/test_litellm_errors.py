"""Which of litellm's exceptions an answer becomes. litellm tells them apart by the status, and by words in the message.

It takes a model whose name begins with `responses/` for one of the Responses API, and speaks that to the gateway.
"""

import litellm
import openai
import pytest

VENDORS = ["openai", "responses", "anthropic", "gemini"]
# The words of the vendors, as they were recorded or are documented.
TOO_LONG = {
    "gpt-4o": {
        "message": "This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens. Please "
        "reduce the length of the messages.",
        "type": "invalid_request_error",
        "param": "messages",
        "code": "context_length_exceeded",
    },
    "claude-sonnet-4-5": {"type": "invalid_request_error", "message": "prompt is too long: 210000 tokens > 200000 maximum"},
    "gemini-2.5-flash": {
        "code": 400,
        "status": "INVALID_ARGUMENT",
        "message": "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    },
}


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr(litellm, "suppress_debug_info", True)


@pytest.fixture
def fails(gateway, provider):
    def fails(model, kind, streams=False, key=gateway.key, **options):
        """The exception in which a completion ends, which has to be of exactly this class."""
        settings = {"model": f"openai/{model}", "api_base": gateway.base_url, "api_key": key, "max_retries": 0, "timeout": 20}
        with pytest.raises(openai.OpenAIError) as caught:
            answer = litellm.completion(messages=[{"role": "user", "content": "Hello"}], stream=streams, **settings, **options)
            if streams:
                list(answer)
        assert type(caught.value) is kind, repr(caught.value)
        assert "sk-upstream" not in str(caught.value)
        return caught.value

    return fails


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("model", TOO_LONG)
def test_t2_a_prompt_that_is_too_long(fails, provider, model, streams):
    provider.plays(model, "error", status=400, error=TOO_LONG[model])
    error = fails(model, litellm.ContextWindowExceededError, streams)
    assert error.status_code == 400


def test_t2_a_prompt_that_is_too_long_for_the_responses_api(fails, provider):
    """litellm does not know the words of this error, and does not look at its code."""
    error = {
        "message": "Your input exceeds the context window of this model. Please adjust your input and try again.",
        "type": "invalid_request_error",
        "param": "input",
        "code": "context_length_exceeded",
    }
    provider.plays("gpt-4.1", "error", status=400, error=error)
    assert fails("gpt-4.1", litellm.BadRequestError).body["code"] == "context_length_exceeded"


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("vendor", VENDORS)
def test_t2_rate_limits_of_the_provider(fails, vendor, streams):
    assert fails(f"{vendor}/fake-error-429", litellm.RateLimitError, streams).status_code == 429


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("vendor", VENDORS)
def test_t2_a_refused_upstream_key_is_not_the_clients(fails, vendor, status):
    error = fails(f"{vendor}/fake-error-{status}", litellm.BadGatewayError)
    assert error.status_code == 502
    assert not isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError)


def test_t2_an_upstream_key_that_gemini_does_not_know(fails, provider, gateway):
    """Gemini answers 400 to a wrong key. That counts against the key, so the model is one that no other test asks for."""
    error = {
        "code": 400,
        "status": "INVALID_ARGUMENT",
        "message": "API key not valid. Please pass a valid API key.",
        "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}],
    }
    provider.plays("fake-error-409", "error", status=400, error=error)
    assert fails("gemini/fake-error-409", litellm.BadGatewayError).status_code == 502


@pytest.mark.parametrize("vendor", VENDORS)
def test_t2_refusals(fails, vendor):
    assert fails(f"{vendor}/fake-error-400", litellm.BadRequestError).status_code == 400
    assert fails(f"{vendor}/fake-error-404", litellm.NotFoundError).status_code == 404


@pytest.mark.parametrize("vendor", VENDORS)
def test_t2_failures_of_the_provider(fails, vendor):
    assert fails(f"{vendor}/fake-error-500", litellm.InternalServerError).status_code == 500
    assert fails(f"{vendor}/fake-error-503", litellm.ServiceUnavailableError).status_code == 503


def test_t2_an_overloaded_provider(fails, provider):
    """529 is Anthropic's own status, for which litellm has no class."""
    model = "anthropic/fake-error-503"
    provider.plays("fake-error-503", "error", status=529)
    assert fails(model, litellm.ServiceUnavailableError).status_code == 503


def test_t2_what_the_client_got_wrong(fails):
    assert fails("gpt-99", litellm.NotFoundError).status_code == 404
    assert fails("gpt-4o", litellm.AuthenticationError, key="sk-wrong").status_code == 401
    assert fails("claude-sonnet-4-5", litellm.BadRequestError, n=2).status_code == 400


@pytest.mark.parametrize("fault", ["fake-cut", "fake-stream-error"])
@pytest.mark.parametrize("vendor", ["openai", "anthropic", "gemini"])
def test_t2_a_stream_that_breaks_off(gateway, vendor, fault):
    """litellm takes the end of a connection for the end of the answer, so the gateway has to say that it is not."""
    settings = {"api_base": gateway.base_url, "api_key": gateway.key, "max_retries": 0, "timeout": 20}
    messages = [{"role": "user", "content": "Hello"}]
    stream = litellm.completion(model=f"openai/{vendor}/{fault}", messages=messages, stream=True, **settings)
    text = ""
    with pytest.raises(openai.OpenAIError) as caught:
        for chunk in stream:
            text += chunk.choices[0].delta.content or ""
    assert "Hello from " in text
    assert str(caught.value)
