"""Tool loops of three rounds, with the message objects of the package itself as history (check P7 in
`docs/CONFORMANCE.md` section 10).

The fake provider refuses what the providers refuse: results without calls, calls without results, calls of Gemini 3
without the signature of what was thought, thinking of Anthropic's that is not there or was changed.
"""

import json

import openai
import pytest
from conftest import MODELS, Upstream, hello
from reading import gathered

# Models that think: their signatures have to come back.
THINKING = [("anthropic", "claude-sonnet-4-5"), ("anthropic", "claude-opus-4-6"), ("gemini", "gemini-3-flash-preview")]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
CLOCK = {"type": "function", "function": {"name": "clock", "description": "", "parameters": {}}}
ROUNDS = [
    [{"name": "weather", "arguments": {"city": "Paris"}}, {"name": "weather", "arguments": {"city": "Rome"}}],
    [{"name": "clock", "arguments": {}}],
]


def run(call):
    """The results of the application's own functions."""
    arguments = json.loads(call.function.arguments)
    return f"21 degrees in {arguments['city']}" if call.function.name == "weather" else '{"time":"12:00"}'


def whole(client, **options):
    """The message of a whole answer, which is also the history."""
    message = client.chat.completions.create(**options).choices[0].message
    return message, message


def helped(client, **options):
    """The message that the stream helper puts together, which is also the history."""
    with client.chat.completions.stream(**options) as stream:
        message = stream.get_final_completion().choices[0].message
    return message, message


def copied(client, **options):
    """A message, and as history only the fields that OpenAI documents, so that no field of the gateway's survives."""
    message, _ = whole(client, **options)
    copy = message.model_dump(include={"role", "content"})
    if message.tool_calls:
        copy["tool_calls"] = [call.model_dump(include={"id", "type", "function"}) for call in message.tool_calls]
    return message, copy


def loop(client, upstream, ask, **options):
    """Runs the tools until the model says something. Returns the text and the messages."""
    for calls in ROUNDS:
        upstream.says("tool_calls", calls=calls)
    upstream.says("saying", text="Paris and Rome have 21 degrees at noon.")
    messages = hello("What is the weather in Paris and Rome?")
    for _ in range(5):
        message, kept = ask(client, model=upstream.model, messages=messages, tools=[WEATHER, CLOCK], **options)
        messages.append(kept)
        if not message.tool_calls:
            return message.content, messages
        for call in message.tool_calls:
            messages.append({"role": "tool", "tool_call_id": call.id, "content": run(call)})
    raise AssertionError("the model does not come to an end")


@pytest.mark.parametrize("ask", [whole, helped, copied])
def test_loop(client, upstream, ask):
    text, messages = loop(client, upstream, ask)
    assert text == "Paris and Rome have 21 degrees at noon."
    assert len(messages) == 7
    assert len(upstream.received) == 3


@pytest.mark.parametrize("ask", [whole, helped, copied])
@pytest.mark.parametrize("pair", THINKING, ids=lambda pair: pair[1])
def test_loop_of_a_model_that_thinks(client, gateway, pair, ask):
    upstream = Upstream(*pair, gateway.provider)
    text, _ = loop(client, upstream, ask, reasoning_effort="high", max_completion_tokens=20_000)
    assert text == "Paris and Rome have 21 degrees at noon."
    assert len(upstream.received) == 3
    if ask is copied:
        return
    # The thoughts came to the client, went back, and stand before the calls that followed from them.
    last = json.dumps(upstream.received[-1])
    if upstream.name == "anthropic":
        blocks = [block["type"] for block in upstream.received[-1]["messages"][1]["content"]]
        assert blocks == ["thinking", "tool_use", "tool_use"]
        assert last.count('"signature"') == 2
    else:
        assert last.count('"thoughtSignature"') >= 2
        assert "skip_thought_signature_validator" not in last


def test_results_of_one_turn_go_up_as_the_provider_wants_them(client, upstream):
    loop(client, upstream, whole)
    body = upstream.received[1]
    if upstream.name == "openai":
        assert [message["role"] for message in body["messages"]] == ["user", "assistant", "tool", "tool"]
    elif upstream.name == "responses":
        kinds = [item.get("type", "message") for item in body["input"]]
        assert kinds == ["message", "function_call", "function_call", "function_call_output", "function_call_output"]
    elif upstream.name == "anthropic":
        assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
        results = [block["content"] for block in body["messages"][-1]["content"]]
        assert results == ["21 degrees in Paris", "21 degrees in Rome"]
    else:
        assert [content["role"] for content in body["contents"]] == ["user", "model", "user"]
        names = [part["functionResponse"]["name"] for part in body["contents"][-1]["parts"]]
        assert names == ["weather", "weather"]
        first = body["contents"][-1]["parts"][0]["functionResponse"]["response"]
        assert first == {"result": "21 degrees in Paris"}


@pytest.mark.parametrize(("first", "second"), [(a, b) for a in MODELS for b in MODELS if a != b], ids="-".join)
def test_history_of_one_provider_at_another(client, gateway, first, second):
    """A conversation goes on at another provider: foreign ids, thoughts and signatures do not disturb it."""
    begins, goes_on = (Upstream(name, MODELS[name], gateway.provider) for name in (first, second))
    begins.says("tool_calls", calls=ROUNDS[0], thinking="Two cities.")
    messages = hello()
    message, _ = whole(client, model=begins.model, messages=messages, tools=[WEATHER])
    messages.append(message)
    for call in message.tool_calls:
        messages.append({"role": "tool", "tool_call_id": call.id, "content": run(call)})
    goes_on.says("saying", text="Both have 21 degrees.")
    answer, _ = whole(client, model=goes_on.model, messages=messages, tools=[WEATHER])
    assert answer.content == "Both have 21 degrees."


def test_loop_in_a_raw_stream(client, upstream):
    """The history as a loop over chunks puts it together: plain objects that hold what the deltas said and nothing else."""
    upstream.says("tool_calls", calls=ROUNDS[0])
    messages = hello()
    options = {"model": upstream.model, "tools": [WEATHER], "stream": True}
    said = gathered(client.chat.completions.create(messages=messages, **options))
    calls = [
        {"id": call["id"], "type": "function", "function": {"name": call["name"], "arguments": call["arguments"]}}
        for call in said.calls.values()
    ]
    messages.append({"role": "assistant", "content": said.text or None, "tool_calls": calls})
    messages += [{"role": "tool", "tool_call_id": call["id"], "content": "21"} for call in calls]
    upstream.says("saying", text="done")
    assert gathered(client.chat.completions.create(messages=messages, **options)).text == "done"


def test_result_without_a_call(client, upstream):
    """The gateway refuses a broken history by its path, where the provider would only say that it does not understand."""
    messages = [*hello(), {"role": "tool", "tool_call_id": "call_nowhere", "content": "21"}]
    if upstream.name == "openai":
        return  # The request passes through, and OpenAI itself refuses it.
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=upstream.model, messages=messages)
    assert caught.value.type == "invalid_request_error"
    assert upstream.name == "responses" or "messages[1]" in caught.value.param
