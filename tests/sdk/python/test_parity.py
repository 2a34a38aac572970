"""The same answer whichever API gives it: what the package reads of each equals what it reads at OpenAI's own API
(checks P1 to P4 in `docs/CONFORMANCE.md` section 10)."""

import openai
import pytest
from conftest import hello
from reading import counts, gathered, read, without_nothing

TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("weather", "clock", "ping")
]
USAGE = {"prompt_tokens": 40, "completion_tokens": 30, "cached_tokens": 8}

# What the model says. Each is a script of the fake provider that does not depend on the format.
SCRIPTS = {
    "text": {"content": "Bonjour, naïve 🚀 日本語!\n\n  two spaces", "usage": USAGE},
    "empty": {"content": "", "usage": USAGE},
    "thoughts": {"content": "42", "thinking": "Six times seven.", "usage": USAGE | {"reasoning_tokens": 12}},
    "call": {"tool_calls": [{"name": "weather", "arguments": '{"city":"Zürich","days":3}'}], "usage": USAGE},
    "calls": {
        "content": "I'll look.",
        "tool_calls": [
            {"name": "weather", "arguments": '{"city":"Paris, 🇫🇷"}'},
            {"name": "weather", "arguments": '{"city":"Rome","at":{"hour":1.0,"id":12345678901234567890}}'},
            {"name": "ping", "arguments": "{}"},
        ],
        "usage": USAGE,
    },
    "length": {"content": "cut off", "finish": "length", "usage": USAGE},
}


def ask(client, model, **options):
    return client.chat.completions.create(model=model, messages=hello(), tools=TOOLS, **options)


@pytest.fixture(params=SCRIPTS)
def script(request):
    return SCRIPTS[request.param]


@pytest.fixture
def expected(direct, script):
    """What the package reads at OpenAI's own API."""
    return read(ask(direct, "gpt-4o", extra_body={"fake": script}))


def test_whole(client, upstream, script, expected):
    """P1, G5: a plain answer is the same, and its usage is in integers that add up."""
    upstream.says(**script)
    answer = ask(client, upstream.model)
    assert read(answer) == expected
    assert answer.model == upstream.model


@pytest.mark.parametrize("include_usage", [None, False, True])
def test_streamed(client, upstream, script, expected, include_usage):
    """P2, P3: usage comes only if it is asked for, and then once, in the last chunk and without choices."""
    upstream.says(**script)
    options = {} if include_usage is None else {"stream_options": {"include_usage": include_usage}}
    whole = gathered(ask(client, upstream.model, stream=True, **options))
    assert whole.read() == without_nothing(expected)
    assert {chunk.model for chunk in whole.chunks} == {upstream.model}
    assert [bool(chunk.choices) for chunk in whole.chunks[:-1]] == [True] * (len(whole.chunks) - 1)
    if include_usage:
        assert [counts(usage) for usage in whole.usage] == [expected["usage"]]
        assert whole.chunks[-1].usage and whole.chunks[-1].choices == []
    else:
        assert whole.usage == []
        assert whole.chunks[-1].choices[0].finish_reason


def test_streamed_in_pieces(client, upstream):
    """The upstream's pieces may end anywhere, also within a character."""
    upstream.says(content="naïve 🚀 日本語", split_bytes=5)
    assert gathered(ask(client, upstream.model, stream=True)).text == "naïve 🚀 日本語"


@pytest.mark.parametrize("name", ["text", "calls", "thoughts", "empty"])
def test_helper(client, upstream, name):
    """P4: what the helper puts together equals the whole answer."""
    upstream.says(**SCRIPTS[name])
    whole = read(ask(client, upstream.model))
    upstream.says(**SCRIPTS[name])
    with client.chat.completions.stream(
        model=upstream.model, messages=hello(), tools=TOOLS, stream_options={"include_usage": True}
    ) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_completion()
    assert without_nothing(read(final)) == without_nothing(whole)
    assert counts(final.usage) == whole["usage"]
    assert kinds.count("tool_calls.function.arguments.done") == len(whole["calls"])
    assert kinds.count("content.done") == (1 if whole["content"] else 0)


def test_helper_of_an_answer_that_is_cut_short(client, upstream):
    """The helper raises on `length`, which is an error for a parser."""
    upstream.says(**SCRIPTS["length"])
    with client.chat.completions.stream(model=upstream.model, messages=hello()) as stream:
        with pytest.raises(openai.LengthFinishReasonError) as caught:
            stream.get_final_completion()
    assert caught.value.completion.choices[0].message.content == "cut off"


@pytest.mark.parametrize("stream", [False, True])
def test_refused(client, upstream, stream):
    """A refusal is one choice with the refusal's words, whatever the provider calls it."""
    upstream.says("refusal", text="I will not do that.")
    answer = client.chat.completions.create(model=upstream.model, messages=hello(), stream=stream)
    said = gathered(answer).read() if stream else without_nothing(read(answer))
    assert "I will not do that." in said["refusal"]
    assert said["content"] == ""
    # OpenAI's own chat completions say `stop` for a refusal, and pass through. For all other providers the reason is the filter.
    assert said["finish"] == ("stop" if upstream.name == "openai" else "content_filter")


@pytest.mark.parametrize("stream", [False, True])
def test_blocked(client, upstream, stream):
    """A blocked prompt is an answer with one choice, not an empty list."""
    upstream.says("blocked", reason="PROHIBITED_CONTENT")
    answer = client.chat.completions.create(model=upstream.model, messages=hello(), stream=stream)
    said = gathered(answer).read() if stream else without_nothing(read(answer))
    assert said["finish"] == "content_filter"


def test_digits_of_arguments_survive(client, upstream):
    """Numbers pass as they are written, even if a float cannot hold them. Anthropic's and Gemini's arguments are JSON values."""
    arguments = '{"id":12345678901234567890,"ratio":1.0,"tiny":0.10}'
    upstream.says("tool_calls", calls=[{"name": "weather", "arguments": arguments}])
    (call,) = ask(client, upstream.model).choices[0].message.tool_calls
    assert "12345678901234567890" in call.function.arguments
    assert "1.0" in call.function.arguments


def test_several_choices(client, upstream):
    """Providers that give one answer refuse `n` by name."""
    if upstream.name == "openai":
        answer = client.chat.completions.create(model=upstream.model, messages=hello(), n=3)
        assert [choice.index for choice in answer.choices] == [0, 1, 2]
        return
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=upstream.model, messages=hello(), n=3)
    assert caught.value.param == "n"
    assert upstream.received == []
