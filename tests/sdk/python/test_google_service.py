"""Errors, models, counts of tokens and embeddings with the real `google-genai` package. Checks Z5 and Z6 in
`docs/CONFORMANCE.md` section 10."""

import httpx
import pytest
from google.genai import errors, types
from vendors import MODELS, google_client, of, saying, sent

FORMATS = list(MODELS)

STATUSES = [
    (400, errors.ClientError, 400, "INVALID_ARGUMENT"),
    (401, errors.ServerError, 502, "INTERNAL"),
    (403, errors.ServerError, 502, "INTERNAL"),
    (404, errors.ClientError, 404, "NOT_FOUND"),
    (413, errors.ClientError, 413, "INVALID_ARGUMENT"),
    (429, errors.ClientError, 429, "RESOURCE_EXHAUSTED"),
    (500, errors.ServerError, None, "INTERNAL"),
    (503, errors.ServerError, 503, "UNAVAILABLE"),
]


def fails(client, kind, model, stream=False):
    with pytest.raises(errors.APIError) as caught:
        if stream:
            list(client.models.generate_content_stream(model=model, contents="Hello"))
        else:
            client.models.generate_content(model=model, contents="Hello")
    error = caught.value
    assert type(error) is kind, repr(error)
    assert error.message and isinstance(error.code, int)
    return error


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("status", "kind", "told", "word"), STATUSES, ids=[status for status, *_ in STATUSES])
@pytest.mark.parametrize("upstream", FORMATS)
def test_errors_of_the_provider(google, upstream, status, kind, told, word, stream):
    error = fails(google, kind, f"{upstream}/fake-error-{status}", stream)
    assert error.status == word
    assert error.code == told if told else error.code >= 500
    assert "sk-upstream" not in str(error)


@pytest.mark.parametrize("upstream", FORMATS)
def test_an_error_within_the_stream_is_raised(google, upstream):
    seen = []
    with pytest.raises(errors.ServerError) as caught:
        for chunk in google.models.generate_content_stream(model=f"{upstream}/fake-stream-error", contents="Hello"):
            seen.append(chunk.text)
    assert any(seen)
    assert caught.value.code >= 500 and caught.value.status and caught.value.message


def test_an_error_that_is_no_event(google, gateway):
    """Gemini was seen to end a stream with bare JSON."""
    model = MODELS["gemini"]
    saying(gateway, model, "one two three", error_after_chunks=2, bare_error=True)
    seen = []
    with pytest.raises(errors.ServerError) as caught:
        for chunk in google.models.generate_content_stream(model=model, contents="Hello"):
            seen.append(chunk.text)
    assert "".join(seen) == "one two "
    assert caught.value.status == "UNAVAILABLE"


@pytest.mark.parametrize("upstream", FORMATS)
def test_a_stream_that_breaks_off_is_an_error(google, upstream):
    seen = []
    with pytest.raises(errors.ServerError):
        for chunk in google.models.generate_content_stream(model=f"{upstream}/fake-cut", contents="Hello"):
            seen.append(chunk.text)
    assert any(seen)


@pytest.mark.parametrize("upstream", FORMATS)
def test_answers_that_break_off(google, upstream):
    fails(google, errors.ServerError, f"{upstream}/fake-cut")
    fails(google, errors.ServerError, f"{upstream}/fake-cut-head", stream=True)


@of(MODELS)
def test_a_wrong_key(gateway, model):
    from types import SimpleNamespace

    client = google_client(SimpleNamespace(url=gateway.url, key="sk-wrong"))
    for stream in (False, True):
        error = fails(client, errors.ClientError, model, stream)
        assert (error.code, error.status) == (401, "UNAUTHENTICATED")
    with pytest.raises(errors.ClientError):
        client.models.list()
    client.close()


def test_an_unknown_model(google):
    error = fails(google, errors.ClientError, "gemini-99")
    assert (error.code, error.status) == (404, "NOT_FOUND")
    assert "gemini-99" in error.message


def test_an_unknown_method(gateway):
    url = f"{gateway.url}/v1beta/models/{MODELS['gemini']}:predictTheFuture"
    answer = httpx.post(url, json={}, headers={"x-goog-api-key": gateway.key})
    assert answer.status_code == 404
    assert answer.json()["error"]["status"] == "NOT_FOUND"


@pytest.mark.parametrize("version", [None, "v1", "v1beta"])
def test_models(gateway, version):
    client = google_client(gateway, version)
    models = {model.name: model for model in client.models.list()}
    assert {f"models/{model}" for model in MODELS.values()} <= set(models)
    one = client.models.get(model=MODELS["gemini"])
    assert one.name == f"models/{MODELS['gemini']}"
    assert "generateContent" in one.supported_actions
    client.close()


@pytest.mark.parametrize("place", ["header", "query", "bearer"])
@of(MODELS)
def test_credentials(gateway, model, place):
    url = f"{gateway.url}/v1beta/models/{model}:generateContent"
    headers = {
        "header": {"x-goog-api-key": gateway.key},
        "bearer": {"authorization": f"Bearer {gateway.key}"},
        "query": {},
    }[place]
    if place == "query":
        url += f"?key={gateway.key}"
    answer = httpx.post(url, json={"contents": [{"parts": [{"text": "Hello"}]}]}, headers=headers)
    assert answer.status_code == 200, answer.text
    request = sent(gateway)
    assert gateway.key not in request.path and gateway.key not in str(request.headers)


@of(MODELS)
def test_count_tokens(google, model):
    """Gemini and Anthropic count tokens themselves. For other providers the count is an estimate."""
    count = google.models.count_tokens(model=model, contents="Hello there")
    longer = google.models.count_tokens(model=model, contents="word " * 500)
    assert 0 < count.total_tokens < longer.total_tokens


@pytest.mark.parametrize("model", ["gemini-embedding-001", "text-embedding-3-small"])
def test_embeddings(google, gateway, model):
    texts = ["first", "second", "third"]
    config = types.EmbedContentConfig(output_dimensionality=8)
    batch = google.models.embed_content(model=model, contents=texts, config=config).embeddings
    assert [len(embedding.values) for embedding in batch] == [8, 8, 8]
    assert len({tuple(embedding.values) for embedding in batch}) == 3
    (one,) = google.models.embed_content(model=model, contents="second", config=config).embeddings
    assert one.values == pytest.approx(batch[1].values, abs=1e-6)
