"""Tools with the real `anthropic` package against providers of every format: whole and streamed, several at once,
chosen and forbidden, and the results on their way back. Check A2 in `docs/CONFORMANCE.md` section 10."""

import json

import anthropic
import pytest
from vendors import MODELS, NOT_ANTHROPIC, PNG, calling, check_order, of, saying, sent

ASK = [{"role": "user", "content": "What is the weather in Paris and Rome?"}]
WEATHER = {
    "name": "weather",
    "description": "The weather in a city",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["C", "F"]}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
CLOCK = {"name": "clock", "input_schema": {"type": "object", "properties": {}}}
TOOLS = [WEATHER, CLOCK]
CALLS = [("weather", {"city": "Paris, 🇫🇷", "unit": "C"}), ("weather", {"city": "Rome"}), ("clock", {})]


def ask(claude, model, stream, **options):
    """The answer, whole or put together by the package's helper."""
    options = {"model": model, "max_tokens": 2000, "messages": ASK, "tools": TOOLS} | options
    if not stream:
        return claude.messages.create(**options)
    with claude.messages.stream(**options) as events:
        return events.get_final_message()


def uses(message):
    return [block for block in message.content if block.type == "tool_use"]


def answers(calls, **more):
    results = [
        {"type": "tool_result", "tool_use_id": call.id, "content": f"result of {call.name} {number}", **more}
        for number, call in enumerate(calls)
    ]
    return {"role": "user", "content": results}


@of(MODELS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_parallel_calls_and_their_results(claude, gateway, model, stream):
    calling(gateway, model, *CALLS)
    first = ask(claude, model, stream)
    assert first.stop_reason == "tool_use"
    calls = uses(first)
    assert [(call.name, call.input) for call in calls] == CALLS
    assert len({call.id for call in calls}) == 3

    turns = [*ASK, {"role": "assistant", "content": first.content}, answers(calls)]
    second = ask(claude, model, stream, messages=turns)
    assert second.stop_reason == "end_turn"
    assert second.content[-1].text
    text = sent(gateway).text
    # The results stand in the order of the calls.
    places = [text.index(f"result of {call.name} {number}") for number, call in enumerate(calls)]
    assert places == sorted(places)

    # The next question follows the turn of tools.
    turns += [{"role": "assistant", "content": second.content}, {"role": "user", "content": "And in Oslo?"}]
    third = ask(claude, model, stream, messages=turns)
    assert [(call.name, call.input) for call in uses(third)] == [("weather", {"city": "Paris", "unit": "C"})]
    turns += [{"role": "assistant", "content": third.content}, answers(uses(third))]
    assert ask(claude, model, stream, messages=turns).stop_reason == "end_turn"


@of(MODELS)
def test_input_json_events(claude, gateway, model):
    calling(gateway, model, *CALLS)
    with claude.messages.stream(model=model, max_tokens=2000, messages=ASK, tools=TOOLS) as stream:
        events = list(stream)
        final = stream.get_final_message()
    raw = [event for event in events if event.type in ("content_block_start", "content_block_stop")]
    assert [event.index for event in raw] == sorted(event.index for event in raw)
    pieces = {}
    for event in events:
        if event.type == "content_block_delta" and event.delta.type == "input_json_delta":
            pieces.setdefault(event.index, []).append(event.delta.partial_json)
    assert len([event for event in events if event.type == "input_json"]) >= 2
    # A call without arguments may come without a fragment, or with an empty one. In the end it is an empty object.
    texts = ["".join(parts) or "{}" for parts in pieces.values()]
    assert [json.loads(text) for text in texts if text != "{}"] == [arguments for _, arguments in CALLS if arguments]
    assert [call.input for call in uses(final)] == [arguments for _, arguments in CALLS]
    stops = [event.content_block for event in events if event.type == "content_block_stop"]
    assert [block.input for block in stops if block.type == "tool_use"] == [arguments for _, arguments in CALLS]


@of(MODELS)
def test_starts_of_calls_have_no_input(claude, gateway, model):
    calling(gateway, model, *CALLS)
    events = list(claude.messages.create(model=model, max_tokens=2000, messages=ASK, tools=TOOLS, stream=True))
    check_order(events)
    starts = [event.content_block for event in events if event.type == "content_block_start"]
    assert [block.input for block in starts if block.type == "tool_use"] == [{}, {}, {}]


@of(MODELS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_numbers_are_digits(claude, gateway, model, stream):
    """Numbers in arguments do not become floating point numbers on their way."""
    number = '{"n":12345678901234567890,"x":1.0,"y":0.1}'
    gateway.provider.script("tool_calls", {"model": model}, calls=[{"name": "weather", "arguments": number}])
    (call,) = uses(ask(claude, model, stream))
    assert json.dumps(call.input, separators=(",", ":")) == number


# The tool choice in the words of OpenAI's two formats and of Gemini's.
CHOICES = [
    ({"type": "auto"}, {"openai": "auto", "responses": "auto", "gemini": "AUTO"}),
    ({"type": "any"}, {"openai": "required", "responses": "required", "gemini": "ANY"}),
    ({"type": "none"}, {"openai": "none", "responses": "none", "gemini": "NONE"}),
    (
        {"type": "tool", "name": "clock"},
        {
            "openai": {"type": "function", "function": {"name": "clock"}},
            "responses": {"type": "function", "name": "clock"},
            "gemini": "ANY",
        },
    ),
]


@pytest.mark.parametrize(("choice", "said"), CHOICES, ids=[choice["type"] for choice, _ in CHOICES])
@of(MODELS)
def test_tool_choice(claude, gateway, model, choice, said):
    message = ask(claude, model, False, tool_choice=choice)
    called = [call.name for call in uses(message)]
    assert called == {"none": [], "tool": ["clock"]}.get(choice["type"], ["weather"])
    body = sent(gateway).body
    if model == MODELS["anthropic"]:
        assert body["tool_choice"] == choice
    elif model == MODELS["gemini"]:
        config = body["toolConfig"]["functionCallingConfig"]
        assert config["mode"] == said["gemini"]
        assert config.get("allowedFunctionNames") == (["clock"] if choice["type"] == "tool" else None)
    else:
        assert body["tool_choice"] == said["openai" if model == MODELS["openai"] else "responses"]


@of(NOT_ANTHROPIC)
def test_one_call_at_most(claude, gateway, model):
    """Gemini cannot be told to make one call only, so the calls behind the first do not reach the client."""
    calling(gateway, model, *CALLS)
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    message = ask(claude, model, False, tool_choice=choice)
    if model == MODELS["gemini"]:
        assert len(uses(message)) == 1
    else:
        assert sent(gateway).body["parallel_tool_calls"] is False


@of(NOT_ANTHROPIC)
def test_a_tool_that_is_not_there(claude, gateway, model):
    with pytest.raises(anthropic.BadRequestError) as caught:
        ask(claude, model, False, tool_choice={"type": "tool", "name": "nothing"})
    assert caught.value.body["error"]["type"] == "invalid_request_error"
    assert "tool_choice" in caught.value.message
    assert gateway.provider.requests() == []


@of(NOT_ANTHROPIC)
def test_declarations(claude, gateway, model):
    ask(claude, model, False)
    body = sent(gateway).body
    if model == MODELS["gemini"]:
        (tools,) = [tool["functionDeclarations"] for tool in body["tools"]]
        schemas = [tool.get("parametersJsonSchema") for tool in tools]
    elif model == MODELS["openai"]:
        tools = [tool["function"] for tool in body["tools"]]
        schemas = [tool["parameters"] for tool in tools]
    else:
        tools = body["tools"]
        schemas = [tool["parameters"] for tool in tools]
    assert [tool["name"] for tool in tools] == ["weather", "clock"]
    assert tools[0]["description"] == WEATHER["description"]
    assert schemas[0] == WEATHER["input_schema"]


@of(MODELS)
def test_results_that_are_not_text(claude, gateway, model):
    calling(gateway, model, ("weather", {"city": "Paris"}), ("clock", {}), ("clock", {}))
    first = ask(claude, model, False)
    calls = uses(first)
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    results = [
        {"type": "tool_result", "tool_use_id": calls[0].id, "content": [{"type": "text", "text": "a map"}, image]},
        {"type": "tool_result", "tool_use_id": calls[1].id, "content": "the clock is broken", "is_error": True},
        {"type": "tool_result", "tool_use_id": calls[2].id},
        {"type": "text", "text": "Go on, please."},
    ]
    turns = [*ASK, {"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
    second = ask(claude, model, False, messages=turns, tool_choice={"type": "none"})
    assert second.content[-1].text
    text = sent(gateway).text
    for part in ("a map", PNG, "the clock is broken", "Go on, please."):
        assert part in text, part


@of({name: model for name, model in NOT_ANTHROPIC.items() if name != "openai"})
def test_a_result_without_its_call_is_refused(claude, gateway, model):
    result = {"type": "tool_result", "tool_use_id": "toolu_nobody", "content": "21 degrees"}
    turns = [*ASK, {"role": "assistant", "content": "Hm."}, {"role": "user", "content": [result]}]
    with pytest.raises(anthropic.BadRequestError) as caught:
        ask(claude, model, False, messages=turns)
    assert caught.value.body["error"]["type"] == "invalid_request_error"
    assert "toolu_nobody" in caught.value.message


@of(MODELS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("thread", [False, None], ids=["no_thread", "thread"])
def test_the_runner_of_the_package(claude, gateway, model, stream, thread):
    """`tool_runner` calls functions by itself until the model is done. It has the provider keep the conversation unless
    it is told not to, or told that the provider cannot.
    """
    seen = []

    @anthropic.beta_tool
    def weather(city: str) -> str:
        """The weather in a city.

        Args:
            city: Its name.
        """
        seen.append(city)
        return f"{city}: 21 degrees"

    calling(gateway, model, ("weather", {"city": "Paris"}), ("weather", {"city": "Rome"}))
    # Anthropic may lose a thread at any time. The fake provider does so each time.
    loses = thread is None and model == MODELS["anthropic"]
    for answer in ({"tool_calls": [{"name": "weather", "arguments": '{"city":"Oslo"}'}]}, {"content": "All are warm."}):
        if loses:
            saying(gateway, model, "lost")
        saying(gateway, model, **answer)
    runner = claude.beta.messages.tool_runner(
        model=model, max_tokens=2000, messages=ASK, tools=[weather], thread=thread, stream=stream
    )
    if stream:
        messages = [events.get_final_message() for events in runner]
    else:
        messages = list(runner)
    assert seen == ["Paris", "Rome", "Oslo"]
    assert len(messages) == 3
    assert messages[-1].content[-1].text == "All are warm."
    body = sent(gateway).text
    for words in (ASK[0]["content"], "Paris: 21 degrees", "Rome: 21 degrees", "Oslo: 21 degrees"):
        assert words in body, words
    assert "thread" not in sent(gateway).body


@of(NOT_ANTHROPIC)
def test_threads_are_refused_in_the_words_that_clients_recover_from(claude, gateway, model):
    """A thread is kept by Anthropic, so another provider would see nothing but the end of the conversation."""
    for thread in ({"type": "create"}, {"type": "continue", "previous_message_id": "msg_1"}):
        with pytest.raises(anthropic.BadRequestError) as caught:
            claude.beta.messages.create(
                model=model, max_tokens=100, messages=ASK, thread=thread, betas=["message-threads-2026-08-12"]
            )
        error = caught.value.body["error"]
        assert error["type"] == "invalid_request_error"
        assert error["details"] == {"error_code": "thread_unsupported_request"}
    assert gateway.provider.requests() == []


# The Responses API has a web search too.
@of({name: model for name, model in NOT_ANTHROPIC.items() if name != "responses"})
def test_tools_that_run_at_the_provider_are_refused_by_name(claude, gateway, model):
    """A tool that only Anthropic can run is refused elsewhere: the answer says so, and nothing is sent."""
    search = {"type": "code_execution_20250522", "name": "code_execution"}
    with pytest.raises(anthropic.BadRequestError) as caught:
        ask(claude, model, False, tools=[WEATHER, search])
    assert "tools" in caught.value.message
    assert gateway.provider.requests() == []
