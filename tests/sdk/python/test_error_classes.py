"""The exception of the package that each failure of each provider becomes, and how often the package then tries again
(checks P10 and P11 in `docs/CONFORMANCE.md` section 10)."""

import time

import openai
import pytest
from conftest import MODELS, Upstream, hello, raw, wait_for

STATUSES = {
    400: (openai.BadRequestError, 400, "invalid_request_error"),
    401: (openai.InternalServerError, 502, "api_error"),
    403: (openai.InternalServerError, 502, "api_error"),
    404: (openai.NotFoundError, 404, "invalid_request_error"),
    429: (openai.RateLimitError, 429, None),
    500: (openai.InternalServerError, 500, "server_error"),
    503: (openai.InternalServerError, 503, "server_error"),
}
CODES = {
    401: "upstream_authentication_failed",
    403: "upstream_authentication_failed",
    404: "model_not_found",
    429: "rate_limit_exceeded",
}


def fails(client, model, **options):
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model=model, messages=hello(), **options)
    return well_formed(caught.value)


def well_formed(error):
    """Checks what holds for each error: it is an object in OpenAI's shape, with a message, and a code that is text."""
    assert set(error.body) >= {"message", "type", "param", "code"}, error.body
    assert error.body["message"] and isinstance(error.body["message"], str)
    assert error.type
    assert isinstance(error.code, str | None)
    assert error.request_id == raw(error).headers["x-request-id"]
    assert "sk-upstream" not in raw(error).text
    return error


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", STATUSES)
def test_classes(client, upstream, status, stream):
    kind, seen, word = STATUSES[status]
    error = fails(client, upstream.fault(f"fake-error-{status}"), stream=stream)
    assert (type(error), error.status_code) == (kind, seen)
    assert word is None or error.type == word
    if status in CODES:
        assert error.code == CODES[status]


def test_too_large_for_the_provider(client, upstream):
    words = {"type": "request_too_large", "message": "Too large.", "status": "X"}
    if upstream.name in ("openai", "responses"):
        words = {"type": "invalid_request_error", "message": "Too large.", "param": None, "code": None}
    upstream.says("error", status=413, error=words)
    error = fails(client, upstream.model)
    assert (error.status_code, error.type) == (413, "invalid_request_error")
    assert "Too large." in error.message


def test_overloaded_by_anthropics_own_status(client, gateway):
    """Nobody but Anthropic knows the status 529: clients get the status with the same meaning."""
    upstream = Upstream("anthropic", MODELS["anthropic"], gateway.provider)
    upstream.says("error", status=529, model="fake-error-503")
    error = fails(client, upstream.fault("fake-error-503"))
    assert (type(error), error.status_code, error.code) == (openai.InternalServerError, 503, "overloaded")


TOO_LONG = {
    "openai": {
        "message": "This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens.",
        "type": "invalid_request_error",
        "param": "messages",
        "code": "context_length_exceeded",
    },
    "responses": {
        "message": "Your input exceeds the context window of this model. Please adjust your input and try again.",
        "type": "invalid_request_error",
        "param": "input",
        "code": "context_length_exceeded",
    },
    "anthropic": {"type": "invalid_request_error", "message": "prompt is too long: 210000 tokens > 200000 maximum"},
    "gemini": {
        "code": 400,
        "message": "The input token count (1100000) exceeds the maximum number of tokens allowed (1048576).",
        "status": "INVALID_ARGUMENT",
    },
}


def test_too_long_for_the_model(client, upstream):
    """Applications shorten their history when they see this code."""
    upstream.says("error", status=400, error=TOO_LONG[upstream.name])
    error = fails(client, upstream.model)
    assert (type(error), error.code) == (openai.BadRequestError, "context_length_exceeded")
    assert error.body["message"] == TOO_LONG[upstream.name]["message"]


def test_geminis_word_for_a_bad_key(client, gateway):
    """Gemini's error about a wrong key comes as a 400, and is not the client's fault."""
    upstream = Upstream("gemini", MODELS["gemini"], gateway.provider)
    error = {
        "code": 400,
        "message": "API key not valid. Please pass a valid API key.",
        "status": "INVALID_ARGUMENT",
        "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}],
    }
    upstream.says("error", status=400, error=error, model="fake-error-400")
    said = fails(client, upstream.fault("fake-error-400"))
    assert (said.status_code, said.code) == (502, "upstream_authentication_failed")


def test_geminis_errors_in_a_list(client, gateway):
    upstream = Upstream("gemini", MODELS["gemini"], gateway.provider)
    body = '[{"error":{"code":400,"message":"Wrong.","status":"INVALID_ARGUMENT"}}]'
    upstream.says("verbatim", status=400, content_type="application/json", body=body)
    error = fails(client, upstream.model)
    assert (type(error), error.status_code) == (openai.BadRequestError, 400)
    assert "Wrong." in error.message


@pytest.mark.parametrize("kind", ["html", "empty", "text"])
def test_errors_that_are_no_json(client, upstream, kind):
    bodies = {
        "html": ("text/html", "<h1>502 Bad Gateway</h1>"),
        "empty": ("text/plain", ""),
        "text": ("text/plain", "no"),
    }
    content_type, body = bodies[kind]
    upstream.says("verbatim", status=502, content_type=content_type, body=body, model="fake-error-500")
    error = fails(client, upstream.fault("fake-error-500"))
    assert (type(error), error.status_code) == (openai.InternalServerError, 502)
    assert "<h1>" not in error.body["message"]


@pytest.mark.parametrize("body", ["", "null", "[]", "{}", '{"id": "x', "<html>"])
def test_answers_that_are_none(client, upstream, body):
    """A 200 that holds no answer is an error and not a completion without choices."""
    upstream.says("verbatim", status=200, content_type="application/json", body=body, model="fake-error-500")
    error = fails(client, upstream.fault("fake-error-500"))
    assert (type(error), error.status_code) == (openai.InternalServerError, 502)


ERRORS = {
    "openai": '{"error":{"message":"Too busy.","type":"server_error","param":null,"code":null}}',
    "responses": '{"id":"resp_1","object":"response","status":"failed","output":[],'
    '"error":{"code":"server_error","message":"Too busy."}}',
    "anthropic": '{"type":"error","error":{"type":"overloaded_error","message":"Too busy."}}',
    "gemini": '{"error":{"code":503,"message":"Too busy.","status":"UNAVAILABLE"}}',
}


def test_errors_in_the_guise_of_an_answer(client, upstream):
    """The package would take an error with the status 200 for an answer without choices."""
    body = ERRORS[upstream.name]
    upstream.says("verbatim", status=200, content_type="application/json", body=body, model="fake-error-500")
    error = fails(client, upstream.fault("fake-error-500"))
    assert type(error) is openai.InternalServerError
    assert "Too busy." in error.message


def test_tried_again_by_the_package(counting, gateway, upstream):
    """P11: the package sends three requests, after the pause that the provider asks for, and each has one record that costs nothing."""
    client, sent = counting(max_retries=2)
    model = upstream.fault("fake-error-429")
    pause = [["retry-after-ms", "20"]]
    upstream.says("error", status=429, headers=pause, apply={"times": 3}, model="fake-error-429")
    seen = []
    client._client.event_hooks["response"].append(lambda response: seen.append(response.headers["x-request-id"]))
    error = fails(client, model)
    assert type(error) is openai.RateLimitError
    assert raw(error).headers["retry-after-ms"] == "20"
    assert [request.headers["x-stainless-retry-count"] for request in sent] == ["0", "1", "2"]
    assert len(set(seen)) == 3
    for request_id in seen:
        records = wait_for("the record is in the ledger", lambda: gateway.records(request_id))
        assert len(records) == 1
        assert not records[0].get("outputTokens")


def test_pause_of_a_second(counting, gateway):
    """P11 to the letter, at one provider: it asks for a pause of a second, and after it the package comes again and is served."""
    upstream = Upstream("anthropic", MODELS["anthropic"], gateway.provider)
    client, sent = counting(max_retries=2)
    upstream.says("error", status=429, headers=[["retry-after", "1"]], model="fake-error-429")
    upstream.says("saying", text="now", model="fake-error-429")
    started = time.monotonic()
    answer = client.chat.completions.create(model=upstream.fault("fake-error-429"), messages=hello())
    assert answer.choices[0].message.content == "now"
    assert time.monotonic() - started >= 0.9
    assert len(sent) == 2


@pytest.mark.parametrize("status", [400, 401, 404])
def test_not_tried_again(counting, upstream, status):
    client, sent = counting(max_retries=2)
    fails(client, upstream.fault(f"fake-error-{status}"))
    assert len(sent) == 1
