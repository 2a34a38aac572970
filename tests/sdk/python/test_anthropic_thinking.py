"""Thoughts and their signatures with the real `anthropic` package: back and forth byte by byte on a provider of the
same format, and through providers of other formats whose own signatures have to come back to them. Check A3 in
`docs/CONFORMANCE.md` section 10.

The fake provider refuses thoughts that were changed (Anthropic), and calls that have lost their signature (the third
generation of Gemini).
"""

import json

import pytest
from vendors import MODELS, calling, check_order, of, plain, saying, sent

ASK = [{"role": "user", "content": "What is the weather in Paris?"}]
WEATHER = {
    "name": "weather",
    "description": "The weather in a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
BUDGET = {"type": "enabled", "budget_tokens": 2000}
ADAPTIVE = {"type": "adaptive", "display": "summarized"}
THOUGHTS = "The user wants the weather; I have a tool for that. 🤔"
# Another model of each format that thinks.
THINKERS = MODELS | {"responses": "o4-mini", "openai": "gpt-5.1"}


def ask(claude, model, stream, **options):
    options = {"model": model, "max_tokens": 4000, "messages": ASK, "tools": [WEATHER], "thinking": BUDGET} | options
    if not stream:
        return claude.messages.create(**options)
    with claude.messages.stream(**options) as events:
        return events.get_final_message()


def kinds(message):
    return [block.type for block in message.content]


def kept(message):
    """The message as a client keeps it, which may be a file."""
    return {"role": "assistant", "content": [plain(block) for block in message.content]}


def results(message):
    calls = [block for block in message.content if block.type == "tool_use"]
    return {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "21 degrees"} for call in calls],
    }


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("model", ["claude-sonnet-4-5", "claude-opus-4-6"])
def test_signatures_come_back_byte_by_byte(claude, gateway, model, stream):
    calling(gateway, model, ("weather", {"city": "Paris"}), thinking=THOUGHTS)
    first = ask(claude, model, stream)
    assert kinds(first) == ["thinking", "tool_use"]
    assert first.content[0].thinking == THOUGHTS
    assert first.content[0].signature

    turns = [*ASK, kept(first), results(first)]
    calling(gateway, model, ("weather", {"city": "Rome"}), thinking="Once more.")
    second = ask(claude, model, stream, messages=turns)
    turns += [kept(second), results(second)]
    saying(gateway, model, "It is warm.", thinking="I know it now.")
    third = ask(claude, model, stream, messages=turns)
    assert kinds(third) == ["thinking", "text"]
    body = sent(gateway).body
    assert body["messages"] == turns
    assert body["thinking"] == BUDGET


def test_redacted_thoughts(claude, gateway):
    model = MODELS["anthropic"]
    calling(gateway, model, ("weather", {"city": "Paris"}), thinking=THOUGHTS, redacted=True)
    first = ask(claude, model, True)
    assert kinds(first) == ["redacted_thinking", "tool_use"]
    second = ask(claude, model, True, messages=[*ASK, kept(first), results(first)])
    assert second.stop_reason == "end_turn"
    assert sent(gateway).body["messages"][1]["content"][0] == plain(first.content[0])


@of(THINKERS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("thinking", [BUDGET, ADAPTIVE], ids=["budget", "adaptive"])
def test_thoughts_of_every_provider(claude, gateway, model, stream, thinking):
    saying(gateway, model, "It is warm.", thinking=THOUGHTS)
    message = ask(claude, model, stream, thinking=thinking)
    thoughts = [block for block in message.content if block.type == "thinking"]
    assert [block.thinking for block in thoughts if block.thinking] == [THOUGHTS]
    # A field that the package, and those of other languages, demand.
    assert all(isinstance(block.signature, str) for block in thoughts)
    assert message.content[-1].type == "text" or kinds(message)[-1] == "redacted_thinking"
    assert message.content[kinds(message).index("text")].text == "It is warm."


@of(THINKERS)
def test_order_of_events(claude, gateway, model):
    calling(gateway, model, ("weather", {"city": "Paris"}), ("weather", {"city": "Rome"}), thinking=THOUGHTS)
    events = list(
        claude.messages.create(
            model=model, max_tokens=4000, messages=ASK, tools=[WEATHER], thinking=BUDGET, stream=True
        )
    )
    check_order(events)
    starts = [event.content_block for event in events if event.type == "content_block_start"]
    assert starts[0].type == "thinking" and starts[0].thinking == ""
    deltas = [event.delta.type for event in events if event.type == "content_block_delta" and event.index == 0]
    assert deltas[0] == "thinking_delta"
    if "signature_delta" in deltas:
        assert deltas.index("signature_delta") == len(deltas) - 1


@of(THINKERS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_three_rounds_of_tools_with_thoughts(claude, gateway, model, stream):
    """What a client gives back as it came is enough for all providers; Gemini refuses calls without their signature."""
    turns = list(ASK)
    for city in ("Paris", "Rome", "Oslo"):
        calls = [("weather", {"city": city}), ("weather", {"city": city + " airport"})]
        calling(gateway, model, *calls, thinking=f"Now {city}.")
        message = ask(claude, model, stream, messages=turns)
        assert message.stop_reason == "tool_use"
        turns += [kept(message), results(message)]
    saying(gateway, model, "All are warm.", thinking="Done.")
    last = ask(claude, model, stream, messages=turns)
    assert last.stop_reason == "end_turn"
    if model == MODELS["gemini"]:
        signed = [
            [bool(part.get("thoughtSignature")) for part in content["parts"] if "functionCall" in part]
            for content in sent(gateway).body["contents"]
            if content["role"] == "model"
        ]
        assert signed == [[True, False]] * 3
        # These are the real signatures, not the placeholder for lost ones.
        assert "skip_thought" not in sent(gateway).text and "c2tpcF90aG91Z2h0" not in sent(gateway).text


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_signatures_of_gemini_without_thoughts(claude, gateway, stream):
    """A client that does not ask for thoughts gets signed calls all the same."""
    model = MODELS["gemini"]
    calling(gateway, model, ("weather", {"city": "Paris"}))
    options = {"model": model, "max_tokens": 4000, "messages": ASK, "tools": [WEATHER]}
    first = ask(claude, model, stream, thinking={"type": "disabled"})
    second = claude.messages.create(**options | {"messages": [*ASK, kept(first), results(first)]})
    assert second.stop_reason == "end_turn"
    (call,) = [part for part in sent(gateway).body["contents"][1]["parts"] if "functionCall" in part]
    assert call["thoughtSignature"] != "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="


def test_signatures_that_the_client_has_lost(claude, gateway):
    """Without thoughts, the call goes up with the placeholder that Google documents."""
    model = MODELS["gemini"]
    calling(gateway, model, ("weather", {"city": "Paris"}))
    first = ask(claude, model, False)
    calls = [block for block in kept(first)["content"] if block["type"] == "tool_use"]
    turns = [*ASK, {"role": "assistant", "content": calls}, results(first)]
    assert ask(claude, model, False, messages=turns).stop_reason == "end_turn"


def test_thoughts_of_openai_keep_their_encrypted_form(claude, gateway):
    model = THINKERS["responses"]
    calling(gateway, model, ("weather", {"city": "Paris"}), thinking=THOUGHTS)
    first = ask(claude, model, True)
    assert "reasoning.encrypted_content" in json.dumps(sent(gateway).body.get("include"))
    ask(claude, model, True, messages=[*ASK, kept(first), results(first)])
    items = [item for item in sent(gateway).body["input"] if item.get("type") == "reasoning"]
    assert len(items) == 1
    assert items[0]["encrypted_content"] and "orchestration" not in items[0]["encrypted_content"]


@pytest.mark.parametrize("first_name", THINKERS)
@pytest.mark.parametrize("second_name", THINKERS)
def test_conversations_move_from_one_provider_to_another(claude, gateway, first_name, second_name):
    """A model of another family gets no thoughts that it cannot read, and refuses nothing."""
    first_model, second_model = THINKERS[first_name], THINKERS[second_name]
    calling(gateway, first_model, ("weather", {"city": "Paris"}), thinking=THOUGHTS)
    first = ask(claude, first_model, True)
    turns = [*ASK, kept(first), results(first)]
    second = ask(claude, second_model, True, messages=turns)
    assert second.stop_reason == "end_turn"
    turns += [kept(second), {"role": "user", "content": "And in Rome?"}]
    # The conversation goes back to the first model.
    third = ask(claude, first_model, True, messages=turns)
    assert third.stop_reason == "tool_use"


@of(THINKERS)
def test_how_much_to_think_is_said(claude, gateway, model):
    saying(gateway, model, "Yes.")
    claude.messages.create(
        model=model, max_tokens=4000, messages=ASK, thinking=ADAPTIVE, output_config={"effort": "high"}
    )
    body = sent(gateway).body
    effort = {
        THINKERS["openai"]: lambda: body["reasoning_effort"],
        THINKERS["responses"]: lambda: body["reasoning"]["effort"],
        THINKERS["anthropic"]: lambda: body["output_config"]["effort"],
        THINKERS["gemini"]: lambda: body["generationConfig"]["thinkingConfig"]["thinkingLevel"].lower(),
    }[model]()
    assert effort == "high"
