"""Embeddings come in the encoding that is asked for (check P12 in `docs/CONFORMANCE.md` section 10)."""

import base64
import struct

import openai
import pytest

MODELS = ["text-embedding-3-small", "gemini-embedding-001"]


@pytest.fixture(params=MODELS)
def model(request):
    return request.param


def raw(client, model, **options):
    """The vector as it stands in the answer's JSON. The package decodes only the encoding that it asked for itself."""
    answer = client.post("/embeddings", cast_to=object, body={"model": model, "input": "one two", **options})
    return answer["data"][0]["embedding"]


def test_encodings_are_obeyed(client, model):
    """No encoding means floats. base64, which the package asks for on its own, is little-endian float32."""
    floats, same = raw(client, model), raw(client, model, encoding_format="float")
    assert floats == same and all(isinstance(number, float | int) for number in floats)
    packed = raw(client, model, encoding_format="base64")
    assert isinstance(packed, str)
    numbers = struct.unpack(f"<{len(floats)}f", base64.b64decode(packed))
    assert numbers == pytest.approx(floats, abs=1e-6)


def test_what_the_package_asks_for_by_itself(client, model):
    by_default = client.embeddings.create(model=model, input="one two").data[0].embedding
    floats = client.embeddings.create(model=model, input="one two", encoding_format="float").data[0].embedding
    assert len(by_default) > 100
    assert by_default == pytest.approx(floats, abs=1e-6)


def test_order_and_usage(client, model):
    texts = [f"text number {number}" for number in range(5)]
    answer = client.embeddings.create(model=model, input=texts)
    assert [entry.index for entry in answer.data] == list(range(5))
    assert len({tuple(entry.embedding) for entry in answer.data}) == 5
    for text, entry in zip(texts, answer.data, strict=True):
        alone = client.embeddings.create(model=model, input=text).data[0].embedding
        assert entry.embedding == pytest.approx(alone, abs=1e-6)
    assert (answer.object, answer.model) == ("list", model)
    assert type(answer.usage.prompt_tokens) is int and answer.usage.total_tokens == answer.usage.prompt_tokens


def test_more_than_a_batch(client, model):
    """Gemini takes at most a hundred texts at once, which clients do not know."""
    answer = client.embeddings.create(model=model, input=[f"text {number}" for number in range(120)])
    assert [entry.index for entry in answer.data] == list(range(120))


def test_dimensions(client, model):
    assert len(client.embeddings.create(model=model, input="one", dimensions=256).data[0].embedding) == 256


def test_same_as_the_provider_says(client, direct):
    """A vector that passes through has the same numbers to the last digit."""
    through, at_once = (one.embeddings.create(model=MODELS[0], input=["a", "b"]) for one in (client, direct))
    assert [entry.embedding for entry in through.data] == [entry.embedding for entry in at_once.data]
    assert through.usage == at_once.usage


def test_token_ids(client, model):
    """Token ids, as LangChain sends them, pass to OpenAI's models. For other models nobody can tell which text they stand for."""
    tokens = [[9906, 1917], [9906]]
    if model == MODELS[0]:
        assert len(client.embeddings.create(model=model, input=tokens).data) == 2
        return
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(model=model, input=tokens)
    assert caught.value.param == "input"
    assert "token" in caught.value.message


def test_errors(client):
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="text-embedding-99", input="one")
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(model=MODELS[0], input="")
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(model=MODELS[0], input="one", encoding_format="hex")
    assert caught.value.param == "encoding_format"
