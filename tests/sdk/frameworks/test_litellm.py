"""litellm as a client (`openai/` before the model's name): whole answers, streams that it puts together again, tools in a loop."""

import json

import litellm
import pytest
from conftest import EVERY_MODEL, MODELS, THINKERS, USAGE, calls_in, results_in, steps_in, thinks

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "The weather in a city.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    },
    {"type": "function", "function": {"name": "now", "description": "The time."}},
]


@pytest.fixture
def complete(gateway):
    def complete(model, messages, streams=False, **options):
        settings = {
            "model": f"openai/{model}",
            "api_base": gateway.base_url,
            "api_key": gateway.key,
            "messages": messages,
            "max_retries": 0,
            "timeout": 20,
        }
        if not streams:
            return litellm.completion(**settings, **options)
        counted = {"stream": True, "stream_options": {"include_usage": True}}
        chunks = list(litellm.completion(**settings, **counted, **options))
        return litellm.stream_chunk_builder(chunks, messages=messages)

    return complete


def hello():
    return [{"role": "user", "content": "Hello"}]


# T1


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("model", EVERY_MODEL)
def test_t1_completion(complete, provider, model, streams):
    provider.says(model, "one two three", usage=USAGE)
    answer = complete(model, hello(), streams)
    assert answer.choices[0].message.content == "one two three"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == model
    usage = answer.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (12, 5, 17)
    assert usage.prompt_tokens_details.cached_tokens == 4
    assert usage.completion_tokens_details.reasoning_tokens == 2


@pytest.mark.parametrize("model", EVERY_MODEL)
def test_t1_a_stream_put_together_is_the_whole_answer(complete, provider, model):
    wanted = [("weather", {"city": "Köln 🌦"}), ("now", {})]
    answers = []
    for streams in (False, True):
        provider.calls(model, *wanted, thinking="There are two things to find out.", usage=USAGE)
        answers.append(complete(model, hello(), streams, tools=TOOLS))
    for answer in answers:
        message = answer.choices[0].message
        assert [(call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls] == wanted
        assert len({call.id for call in message.tool_calls}) == 2
        assert answer.choices[0].finish_reason == "tool_calls"
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (12, 5, 17)
    whole, streamed = (getattr(answer.choices[0].message, "reasoning_content", None) for answer in answers)
    assert whole == streamed


@pytest.mark.parametrize("model", THINKERS)
def test_t1_reasoning_is_a_text(complete, provider, model):
    for streams in (False, True):
        provider.says(model, "Hello.", thinking="A greeting. I greet back.")
        options = {"reasoning_effort": "medium", "allowed_openai_params": ["reasoning_effort"]}
        message = complete(model, hello(), streams, **options).choices[0].message
        assert (message.reasoning_content, message.content) == ("A greeting. I greet back.", "Hello.")
        assert thinks(provider.last())


@pytest.mark.parametrize("reason", ["length", "content_filter"])
@pytest.mark.parametrize("model", MODELS)
def test_t1_why_it_ended(complete, provider, model, reason):
    for streams in (False, True):
        provider.says(model, "one two", finish=reason)
        assert complete(model, hello(), streams).choices[0].finish_reason == reason


@pytest.mark.parametrize("model", EVERY_MODEL)
def test_t1_a_document_of_a_schema(complete, model):
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "year": {"type": "integer", "minimum": 1900}},
        "required": ["name", "year"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "film", "schema": schema, "strict": True}}
    for streams in (False, True):
        answer = complete(model, hello(), streams, response_format=wanted)
        assert set(json.loads(answer.choices[0].message.content)) == {"name", "year"}
        assert answer.choices[0].finish_reason == "stop"
        assert not answer.choices[0].message.tool_calls


# T3


def loop(complete, provider, model, streams, rounds=3, **options):
    """The model calls tools, two at once, until it has an answer; litellm's own messages are sent back to it."""
    messages = hello()
    for number in range(rounds):
        provider.calls(model, ("weather", {"city": f"city {number}"}), ("now", {}))
        message = complete(model, messages, streams, tools=TOOLS, **options).choices[0].message
        messages.append(message)
        for call, result in zip(message.tool_calls, [f"sun {number}", f"noon {number}"], strict=True):
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    provider.says(model, "Enough.")
    assert complete(model, messages, streams, tools=TOOLS, **options).choices[0].message.content == "Enough."
    body = provider.last()
    assert calls_in(body) == [call for n in range(rounds) for call in [("weather", {"city": f"city {n}"}), ("now", {})]]
    assert results_in(body) == [text for n in range(rounds) for text in [f"sun {n}", f"noon {n}"]]
    return provider.bodies()


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("model", EVERY_MODEL)
def test_t3_tools_in_a_loop(complete, provider, model, streams):
    assert len(loop(complete, provider, model, streams)) == 4


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("model", THINKERS)
def test_t3_what_a_model_signed_comes_back_to_it(complete, provider, model, streams):
    """litellm keeps thinking blocks, and Gemini's signatures of whole answers. The gateway has to know the rest."""
    options = {"reasoning_effort": "medium", "allowed_openai_params": ["reasoning_effort"]}
    bodies = loop(complete, provider, model, streams, **options)
    assert [thinks(body) for body in bodies] == [True] * 4
    assert [steps_in(body) for body in bodies] == [[True] * number for number in range(4)]


def test_t3_gemini_3_gets_its_signatures_without_being_asked_to_think(complete, provider):
    bodies = loop(complete, provider, "gemini-3-flash-preview", streams=True)
    assert [steps_in(body) for body in bodies] == [[True] * number for number in range(4)]


@pytest.mark.parametrize("model", THINKERS)
def test_t3_thinking_in_anthropics_words(complete, provider, model):
    """litellm has a parameter `thinking` of Anthropic's shape, which means the same for every model that thinks."""
    thinking = {"type": "enabled", "budget_tokens": 2048}
    message = complete(model, hello(), thinking=thinking, allowed_openai_params=["thinking"]).choices[0].message
    assert message.reasoning_content
    assert thinks(provider.last())


@pytest.mark.parametrize("model", [model for model in MODELS if model not in ("gpt-4o", "claude-sonnet-4-5")])
def test_t3_thinking_of_another_family_is_not_sent_on(complete, provider, model):
    """A conversation that Claude began goes on with another model, as litellm's fallbacks do it. It passes unchanged to an
    OpenAI-compatible provider, which may know the fields. OpenAI itself ignores them."""
    first, options = "claude-sonnet-4-5", {"reasoning_effort": "low", "allowed_openai_params": ["reasoning_effort"]}
    provider.calls(first, ("weather", {"city": "Paris"}))
    message = complete(first, hello(), tools=TOOLS, **options).choices[0].message
    assert message.thinking_blocks
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "sun"}
    assert complete(model, [*hello(), message, result], tools=TOOLS).choices[0].message.content
    assert message.thinking_blocks[0]["signature"] not in json.dumps(provider.last())
