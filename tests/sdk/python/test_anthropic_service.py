"""What surrounds messages with the real `anthropic` package: models, counts of tokens, credentials, versions and betas,
and answers in a given shape. Checks A4, A5 and A6 in `docs/CONFORMANCE.md` section 10."""

import json
from typing import Literal, Optional

import httpx
import pytest
from pydantic import BaseModel
from vendors import MODELS, NOT_ANTHROPIC, anthropic_client, of, saying, sent

HELLO = [{"role": "user", "content": "Hello"}]


class Place(BaseModel):
    city: str
    kind: Literal["capital", "town"]


class Trip(BaseModel):
    """A trip."""

    places: list[Place]
    nights: int
    note: Optional[str] = None


@of(MODELS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_answers_in_a_shape(claude, gateway, model, stream):
    options = {"model": model, "max_tokens": 1000, "messages": HELLO, "output_format": Trip}
    if stream:
        with claude.messages.stream(**options) as events:
            message = events.get_final_message()
    else:
        message = claude.messages.parse(**options)
    trip = message.parsed_output
    assert isinstance(trip, Trip)
    assert trip.nights == 1
    assert message.stop_reason == "end_turn"
    schema = {
        MODELS["openai"]: lambda body: body["response_format"]["json_schema"]["schema"],
        MODELS["responses"]: lambda body: body["text"]["format"]["schema"],
        MODELS["anthropic"]: lambda body: body["output_config"]["format"]["schema"],
        MODELS["gemini"]: lambda body: body["generationConfig"]["responseJsonSchema"],
    }[model](sent(gateway).body)
    assert set(schema["properties"]) == {"places", "nights", "note"}


def test_answers_in_a_shape_of_models_without_them(claude, gateway):
    """An old model gives the object through a tool of the gateway's, which the client does not see."""
    with anthropic_client(gateway) as client:
        answer = client.messages.with_raw_response.create(
            model="claude-3-5-haiku", max_tokens=1000, messages=HELLO, extra_body={"fake": {"content": "text"}}
        )
        assert answer.parse().content[0].type == "text"


@pytest.mark.parametrize("prefix", ["", "/claude"])
def test_models(gateway, prefix):
    with anthropic_client(gateway, base_url=gateway.url + prefix) as client:
        models = {model.id: model for model in client.models.list()}
        assert set(MODELS.values()) <= set(models)
        for model in models.values():
            assert model.type == "model" and model.display_name and model.created_at.year
        page = client.models.list()
        assert page.has_more is False
        assert page.first_id == page.data[0].id and page.last_id == page.data[-1].id
        one = client.models.retrieve(MODELS["gemini"])
        assert (one.id, one.type) == (MODELS["gemini"], "model")


def test_models_of_the_three_shapes(gateway):
    def models(path, **headers):
        answer = httpx.get(gateway.url + path, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    bearer = {"authorization": f"Bearer {gateway.key}"}
    assert models("/v1/models", **bearer)["object"] == "list"
    assert "has_more" in models("/v1/models", **bearer | {"anthropic-version": "2023-06-01"})
    own = {"x-api-key": gateway.key, "anthropic-version": "2026-10-21"}
    assert "has_more" in models("/v1/models", **own)
    assert "has_more" in models("/claude/v1/models", **own)
    assert "models" in models("/v1/models", **{"x-goog-api-key": gateway.key})
    assert "models" in models("/v1beta/models", **{"x-goog-api-key": gateway.key})
    assert "models" in models(f"/v1/models?key={gateway.key}")


@of(MODELS)
def test_count_tokens(claude, gateway, model):
    """Anthropic and Gemini count tokens themselves. For other providers the count is an estimate."""
    tool = {"name": "weather", "input_schema": {"type": "object", "properties": {}}}
    count = claude.messages.count_tokens(model=model, messages=HELLO, system="Be kind.", tools=[tool])
    assert count.input_tokens > 0
    longer = claude.messages.count_tokens(
        model=model, messages=[{"role": "user", "content": "word " * 500}], system="Be kind.", tools=[tool]
    )
    assert longer.input_tokens > count.input_tokens


def test_count_tokens_of_the_provider(claude, gateway):
    model = MODELS["anthropic"]
    gateway.provider.script("script", {"model": model}, usage={"prompt_tokens": 1234, "completion_tokens": 0})
    count = claude.beta.messages.count_tokens(model=model, messages=HELLO, betas=["token-counting-2024-11-01"])
    assert count.input_tokens == 1234
    request = sent(gateway)
    assert request.path.startswith("/v1/messages/count_tokens")
    assert "token-counting-2024-11-01" in request.headers["anthropic-beta"]


@of(MODELS)
def test_credentials(gateway, model):
    """The package sends `Authorization: Bearer`. Older packages and other clients send `x-api-key`."""
    bearer = {"authorization": f"Bearer {gateway.key}"}
    for headers in (bearer, {"x-api-key": gateway.key}, bearer | {"x-api-key": gateway.key}):
        gateway.provider.forget()
        body = {"model": model, "max_tokens": 10, "messages": HELLO}
        answer = httpx.post(
            f"{gateway.url}/v1/messages", json=body, headers=headers | {"anthropic-version": "2023-06-01"}
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["type"] == "message"
        seen = json.dumps(sent(gateway).headers)
        assert gateway.key not in seen and "sk-upstream-" in seen


def test_the_package_sends_a_bearer(claude, gateway):
    with anthropic_client(gateway, api_key=None, auth_token=gateway.key) as client:
        for one in (claude, client):
            assert one.messages.create(model=MODELS["anthropic"], max_tokens=10, messages=HELLO).content


@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21"])
def test_versions_go_up(claude, gateway, version):
    claude.messages.create(
        model=MODELS["anthropic"], max_tokens=10, messages=HELLO, extra_headers={"anthropic-version": version}
    )
    assert sent(gateway).headers["anthropic-version"] == version


def test_the_packages_own_version_goes_up(claude, gateway):
    claude.messages.create(model=MODELS["anthropic"], max_tokens=10, messages=HELLO)
    assert sent(gateway).headers["anthropic-version"] == "2026-10-21"


def test_betas_go_up(claude, gateway):
    claude.beta.messages.create(
        model=MODELS["anthropic"],
        max_tokens=10,
        messages=HELLO,
        betas=["context-management-2025-06-27", "interleaved-thinking-2025-05-14"],
        context_management={"edits": [{"type": "clear_tool_uses_20250919"}]},
        extra_query={"beta": "true"},
    )
    request = sent(gateway)
    betas = request.headers["anthropic-beta"].split(",")
    assert [beta.strip() for beta in betas] == ["context-management-2025-06-27", "interleaved-thinking-2025-05-14"]
    assert request.body["context_management"] == {"edits": [{"type": "clear_tool_uses_20250919"}]}
    assert "beta=true" in request.path


@of(NOT_ANTHROPIC)
def test_headers_of_anthropics_do_not_go_elsewhere(claude, gateway, model):
    claude.beta.messages.create(
        model=model, max_tokens=10, messages=HELLO, betas=["b-2025-05-14"], extra_query={"beta": "true"}
    )
    names = {name.lower() for name in sent(gateway).headers}
    assert not {name for name in names if name.startswith("anthropic")}
    assert "beta" not in sent(gateway).path.partition("?")[2]


def test_unknown_fields_survive(claude, gateway):
    """A provider of the same format gets the client's own body."""
    messages = [
        {
            "role": "user",
            "content": [{"type": "text", "text": "héllo 🚀", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        }
    ]
    claude.messages.create(
        model=MODELS["anthropic"], max_tokens=10, messages=messages, service_tier="auto", metadata={"user_id": "u"}
    )
    body = sent(gateway).body
    assert body["messages"] == messages
    assert (body["service_tier"], body["metadata"]) == ("auto", {"user_id": "u"})


@of(MODELS)
def test_ids_of_requests(claude, gateway, model):
    saying(gateway, model, "Hello")
    message = claude.messages.create(model=model, max_tokens=10, messages=HELLO)
    raw = claude.messages.with_raw_response.create(model=model, max_tokens=10, messages=HELLO)
    assert message._request_id
    assert raw.headers["request-id"] == raw.headers["x-request-id"] == raw.request_id
