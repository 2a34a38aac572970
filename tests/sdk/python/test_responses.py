"""The Responses API with the real package, whichever API answers: whole, streamed, by the helper, with tools and
thoughts (check P14 in `docs/CONFORMANCE.md` section 10)."""

import json

import pytest
from conftest import MODELS, Upstream
from openai.lib._parsing._responses import type_to_text_format_param
from pydantic import BaseModel

USAGE = {"prompt_tokens": 40, "completion_tokens": 30, "cached_tokens": 8}
TOOLS = [
    {
        "type": "function",
        "name": name,
        "description": "",
        "parameters": {"type": "object", "properties": {}, "additionalProperties": True},
        "strict": False,
    }
    for name in ("weather", "clock")
]
SCRIPTS = {
    "text": {"content": "Bonjour, naïve 🚀 日本語!", "usage": USAGE},
    "thoughts": {"content": "42", "thinking": "Six times seven.", "usage": USAGE | {"reasoning_tokens": 12}},
    "calls": {
        "content": "I'll look.",
        "tool_calls": [
            {"name": "weather", "arguments": '{"city":"Zürich","id":12345678901234567890}'},
            {"name": "clock", "arguments": "{}"},
        ],
        "usage": USAGE,
    },
    "length": {"content": "cut off", "finish": "length", "usage": USAGE},
    "refusal": {"refusal": "I will not do that.", "usage": USAGE},
}


# OpenAI's own groups speak the Responses API too. The compatible vendor has chat completions only.
@pytest.fixture(
    params=[("openai", "gpt-4o"), ("compatible", "chat-only"), *list(MODELS.items())[1:]], ids=lambda pair: pair[0]
)
def upstream(request, gateway):
    return Upstream(*request.param, gateway.provider)


@pytest.fixture(params=SCRIPTS)
def script(request):
    return SCRIPTS[request.param]


def read(response):
    """What a response says, without ids and times."""
    usage, items = response.usage, []
    for item in response.output:
        assert item.id
        if item.type == "message":
            assert item.role == "assistant"
            items += [(part.type, getattr(part, "text", None) or getattr(part, "refusal", "")) for part in item.content]
        elif item.type == "function_call":
            assert item.call_id
            items.append((item.type, item.name, json.loads(item.arguments)))
        elif item.summary:
            # A reasoning item without a summary only carries the provider's signature.
            items.append((item.type, "".join(part.text for part in item.summary)))
    counts = (usage.input_tokens, usage.output_tokens, usage.total_tokens)
    inner = (usage.input_tokens_details.cached_tokens, usage.output_tokens_details.reasoning_tokens)
    assert all(type(count) is int for count in counts + inner)
    assert response.object == "response" and response.id and response.created_at
    reason = response.incomplete_details and response.incomplete_details.reason
    return {"items": items, "status": response.status, "reason": reason, "counts": counts + inner}


def options(model, script):
    thinks = {"reasoning": {"effort": "low", "summary": "auto"}} if "thinking" in script else {}
    return {"model": model, "input": "Hello", "tools": TOOLS, **thinks}


@pytest.fixture
def expected(direct, script):
    """What the package reads at OpenAI's own API."""
    return read(direct.responses.create(**options("gpt-4.1", script), extra_body={"fake": script}))


def test_whole(client, upstream, script, expected):
    upstream.says(**script)
    response = client.responses.create(**options(upstream.model, script))
    assert read(response) == expected
    assert response.model == upstream.model
    assert response.error is None


def test_streamed(client, upstream, script, expected):
    """Events are numbered, each delta stands within its part and item, and the whole response comes at the end."""
    upstream.says(**script)
    events = list(client.responses.create(**options(upstream.model, script), stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = [event.type for event in events]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == ("response.incomplete" if expected["status"] == "incomplete" else "response.completed")
    assert kinds.count("response.output_item.added") == kinds.count("response.output_item.done")
    assert kinds.count("response.output_item.added") == len(events[-1].response.output)
    assert read(events[-1].response) == expected
    texts = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert texts == events[-1].response.output_text
    for at, item in enumerate(events[-1].response.output):
        done = next(event for event in events if event.type == "response.output_item.done" and event.output_index == at)
        assert done.item == item
        own = [event for event in events if getattr(event, "output_index", None) == at and hasattr(event, "item_id")]
        assert {event.item_id for event in own} <= {item.id}
        if item.type == "function_call":
            deltas = [event.delta for event in own if event.type == "response.function_call_arguments.delta"]
            assert "".join(deltas) == item.arguments


def test_helper(client, upstream, script, expected):
    upstream.says(**script)
    with client.responses.stream(**options(upstream.model, script)) as stream:
        events = list(stream)
        if expected["status"] == "incomplete":
            # The helper waits for `response.completed`, as it does at OpenAI.
            with pytest.raises(RuntimeError):
                stream.get_final_response()
            return
        final = stream.get_final_response()
    assert read(final) == expected
    snapshots = [event.snapshot for event in events if event.type == "response.output_text.delta"]
    assert (snapshots[-1] if snapshots else "") == final.output_text


def loop(client, upstream, ask, **more):
    """A loop of three rounds, in which the output of each is input of the next."""
    upstream.says("tool_calls", calls=[{"name": "weather", "arguments": {"city": city}} for city in ("Paris", "Rome")])
    upstream.says("tool_calls", calls=[{"name": "clock", "arguments": {}}])
    upstream.says("saying", text="21 degrees at noon.")
    history = [{"role": "user", "content": "Weather?"}]
    for _ in range(5):
        response = ask(client, model=upstream.model, input=history, tools=TOOLS, store=False, **more)
        history += response.output
        calls = [item for item in response.output if item.type == "function_call"]
        if not calls:
            return response, history
        for call in calls:
            history.append({"type": "function_call_output", "call_id": call.call_id, "output": "21"})
    raise AssertionError("the model does not come to an end")


def whole(client, **options):
    return client.responses.create(**options)


def helped(client, **options):
    with client.responses.stream(**options) as stream:
        return stream.get_final_response()


@pytest.mark.parametrize("ask", [whole, helped])
@pytest.mark.parametrize("thinks", [False, True], ids=["plain", "thinking"])
def test_loop(client, upstream, ask, thinks):
    """The provider refuses thoughts that it has not signed. So its own thoughts went out and came back."""
    more = {}
    if thinks:
        more = {
            "reasoning": {"effort": "high", "summary": "auto"},
            "include": ["reasoning.encrypted_content"],
            "max_output_tokens": 20_000,
        }
    response, history = loop(client, upstream, ask, **more)
    assert response.output_text == "21 degrees at noon."
    assert len(upstream.received) == 3
    if thinks and upstream.name in ("anthropic", "gemini"):
        last = json.dumps(upstream.received[-1])
        assert last.count("signature" if upstream.name == "anthropic" else "thoughtSignature") >= 2
        assert "skip_thought_signature_validator" not in last


class Answer(BaseModel):
    number: int
    why: str | None


def test_parse(client, upstream):
    upstream.says(content='{"number":42,"why":null}')
    response = client.responses.parse(model=upstream.model, input="Hello", text_format=Answer)
    assert response.output_parsed == Answer(number=42, why=None)


def test_parse_a_stream(client, upstream):
    upstream.says(content='{"number":42,"why":null}')
    with client.responses.stream(model=upstream.model, input="Hello", text_format=Answer) as stream:
        final = stream.get_final_response()
    assert final.output_parsed == Answer(number=42, why=None)


def test_schema_goes_up(client, upstream):
    """The provider has no script and answers by the schema that it received."""
    response = client.responses.create(
        model=upstream.model, input="Hello", text={"format": type_to_text_format_param(Answer)}
    )
    assert Answer.model_validate_json(response.output_text)


def test_instructions_and_limits(client, upstream):
    client.responses.create(
        model=upstream.model,
        instructions="Be brief.",
        input=[{"role": "developer", "content": "In French."}, {"role": "user", "content": "Hello"}],
        max_output_tokens=2000,
        temperature=0.5,
    )
    body = json.dumps(upstream.received[-1])
    assert all(said in body for said in ("Be brief.", "In French.", "2000", "0.5"))


def test_image(client, upstream):
    url = "data:image/png;base64,iVBORw0KGgo="
    parts = [{"type": "input_text", "text": "What?"}, {"type": "input_image", "image_url": url, "detail": "auto"}]
    client.responses.create(model=upstream.model, input=[{"role": "user", "content": parts}])
    assert "iVBORw0KGgo=" in json.dumps(upstream.received[-1])
