"""The list of models, and a model by its name with and without slashes (check P13 in `docs/CONFORMANCE.md` section
10)."""

import openai
import pytest
from conftest import MODELS


def test_list(client):
    models = {model.id: model for model in client.models.list()}
    assert {*MODELS.values(), "fast", "org/model:v1", "anthropic/fake-cut"} <= set(models)
    assert all(model.object == "model" and model.owned_by and type(model.created) is int for model in models.values())


@pytest.mark.parametrize("name", [*MODELS.values(), "fast", "org/model:v1"])
def test_retrieve(client, name):
    model = client.models.retrieve(name)
    assert (model.id, model.object) == (name, "model")


def test_retrieve_with_the_slash_as_it_is(client):
    """The package encodes the slash, and other clients do not."""
    assert client.get("/models/org/model:v1", cast_to=object)["id"] == "org/model:v1"
    assert client.get("/models/org%2Fmodel%3Av1", cast_to=object)["id"] == "org/model:v1"


def test_a_model_with_a_slash_answers(client):
    answer = client.chat.completions.create(model="org/model:v1", messages=[{"role": "user", "content": "Hello"}])
    assert answer.model == "org/model:v1"


@pytest.mark.parametrize("name", ["gpt-99", "org/none", "org"])
def test_retrieve_what_is_not_there(client, name):
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve(name)
    assert caught.value.code == "model_not_found"
    assert name in caught.value.message
