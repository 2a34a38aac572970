"""pydantic-ai's agents over its model of OpenAI's chat completions, which validates what it gets to the last field."""

import asyncio

import pytest
from conftest import EVERY_MODEL, MODELS, THINKERS, USAGE, calls_in, results_in, steps_in, thinks
from pydantic import BaseModel, Field
from pydantic_ai import Agent, BinaryContent, NativeOutput, PromptedOutput, ToolOutput
from pydantic_ai.exceptions import ModelAPIError, ModelHTTPError
from pydantic_ai.messages import ThinkingPart
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

CALLS = [("weather", {"city": "Köln 🌦", "days": 3}), ("now", {})]


class Place(BaseModel):
    """Where there is sun."""

    name: str = Field(min_length=1)
    sunny: bool
    districts: list[str] = []


PLACE = '{"name":"Köln 🌦","sunny":true,"districts":["Deutz"]}'
# The ways to tell an agent what to answer with.
OUTPUTS = {"tool": ToolOutput(Place), "native": NativeOutput(Place), "prompted": PromptedOutput(Place)}
# One of these cannot be held to a schema, and the other cannot while it has tools. The gateway has them call a tool of its own.
ANSWER_TOOLS = {"claude-3-5-haiku": "json_output", "gemini-2.5-flash": "final_answer"}


def weather(city: str, days: int = 1) -> str:
    """The weather in a city."""
    return f"{days} days of sun in {city}"


def now() -> str:
    """The time."""
    return "noon"


@pytest.fixture
def make(gateway):
    def make(model, **options):
        provider = OpenAIProvider(base_url=gateway.base_url, api_key=gateway.key)
        return Agent(OpenAIChatModel(model, provider=provider), retries=0, **options)

    return make


def run(agent, streams, question="Is there sun?", **options):
    """The output of an agent, and its run."""
    if not streams:
        run = agent.run_sync(question, **options)
        return run.output, run

    async def read():
        async with agent.run_stream(question, **options) as run:
            return [output async for output in run.stream_output(debounce_by=None)][-1], run

    return asyncio.run(read())


def answers(provider, model, output, **more):
    """Makes the model give its answer in the way that the agent asked for."""
    if output == "tool":
        provider.calls(model, ("final_result", PLACE), **more)
    elif output == "native" and model in ANSWER_TOOLS:
        provider.calls(model, (ANSWER_TOOLS[model], PLACE), **more)
    else:
        provider.says(model, PLACE, **more)


# Y1


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("model", EVERY_MODEL)
def test_y1_two_tools_and_an_output_type(make, provider, model, output, streams):
    provider.calls(model, *CALLS, usage=USAGE)
    answers(provider, model, output, usage=USAGE)
    found, result = run(make(model, tools=[weather, now], output_type=OUTPUTS[output]), streams)
    assert found == Place.model_validate_json(PLACE)
    assert calls_in(provider.last()) == CALLS
    assert results_in(provider.last()) == ["3 days of sun in Köln 🌦", "noon"]

    # Y2
    usage = result.usage
    assert (usage.requests, usage.tool_calls) == (2, 2)
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (24, 10, 34)
    assert (usage.cache_read_tokens, usage.details["reasoning_tokens"]) == (8, 4)


@pytest.mark.parametrize("output", ["tool", "native"])
@pytest.mark.parametrize("model", EVERY_MODEL)
def test_y1_the_model_is_told_the_schema(make, model, output):
    """The provider answers by the schema that it gets, and refuses a schema that its vendor would refuse."""
    for streams in (False, True):
        found, _ = run(make(model, output_type=OUTPUTS[output]), streams)
        assert (found.name, found.sunny) == ("Paris", True)


@pytest.mark.parametrize("model", EVERY_MODEL)
def test_y1_text_as_it_comes(make, provider, model):
    provider.says(model, "one two three", usage=USAGE)

    async def read():
        async with make(model).run_stream("Count.") as run:
            return [text async for text in run.stream_text(delta=True, debounce_by=None)], run.usage

    pieces, usage = asyncio.run(read())
    assert "".join(pieces) == "one two three"
    assert len(pieces) == 3
    assert (usage.input_tokens, usage.output_tokens, usage.requests) == (12, 5, 1)


@pytest.mark.parametrize("model", MODELS)
def test_y1_an_image_arrives(make, provider, model):
    run(make(model), False, ["What is it?", BinaryContent(b"\x89PNG\r\n\x1a\n", media_type="image/png")])
    assert "iVBORw0KGgo=" in str(provider.last())


@pytest.mark.parametrize("model", MODELS)
def test_y1_settings(make, provider, model):
    settings = {"max_tokens": 100, "temperature": 0.5, "stop_sequences": ["END"], "parallel_tool_calls": False, "seed": 7}
    run(make(model, tools=[now], model_settings=settings), False)
    body = str(provider.last())
    assert "0.5" in body and "100" in body
    # The Responses API has no stop sequences.
    assert "END" in body or model == "gpt-4.1"


@pytest.mark.parametrize("vendor", ["openai", "anthropic", "gemini"])
def test_y1_a_stream_that_breaks_off_is_no_answer(make, vendor):
    with pytest.raises(ModelAPIError, match="closed the connection before its answer was complete"):
        run(make(f"{vendor}/fake-cut"), True)


@pytest.mark.parametrize("vendor", ["openai", "anthropic", "gemini"])
def test_y1_errors_have_their_status(make, vendor):
    for fault, status in [("fake-error-400", 400), ("fake-error-401", 502), ("fake-error-429", 429)]:
        agent = make(f"{vendor}/{fault}", model_settings={"timeout": 20})
        agent.model.client.max_retries = 0
        with pytest.raises(ModelHTTPError) as caught:
            run(agent, False)
        assert caught.value.status_code == status
        assert caught.value.body["message"]


# Y4


def thoughts(result):
    return [part.content for message in result.all_messages() for part in message.parts if isinstance(part, ThinkingPart)]


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("model", THINKERS)
def test_y4_thoughts_are_replayed(make, provider, model, streams):
    """pydantic-ai sends thoughts back as text, without what Anthropic signed, and Gemini's signatures where it got them."""
    provider.calls(model, CALLS[0], thinking="First the weather.")
    provider.calls(model, CALLS[1], thinking="Then the time.")
    provider.says(model, "Sun at noon.", thinking="That is all.")
    agent = make(model, tools=[weather, now], model_settings={"openai_reasoning_effort": "medium"})
    found, result = run(agent, streams)
    assert found == "Sun at noon."
    assert thoughts(result) == ["First the weather.", "Then the time.", "That is all."]
    bodies = provider.bodies()
    assert [results_in(body) for body in bodies] == [[], ["3 days of sun in Köln 🌦"], ["3 days of sun in Köln 🌦", "noon"]]
    assert thinks(bodies[0])

    # The conversation goes on, with all thoughts.
    found, _ = run(agent, streams, "And now?", message_history=result.all_messages())
    assert found


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("model", THINKERS)
def test_y4_what_a_model_signed_comes_back_to_it(make, provider, model, streams):
    provider.calls(model, CALLS[0], thinking="First the weather.")
    provider.calls(model, CALLS[1], thinking="Then the time.")
    provider.says(model, "Sun at noon.")
    run(make(model, tools=[weather, now], model_settings={"openai_reasoning_effort": "medium"}), streams)
    bodies = provider.bodies()
    assert [thinks(body) for body in bodies] == [True, True, True]
    assert [steps_in(body) for body in bodies] == [[], [True], [True, True]]


@pytest.mark.parametrize("model", [model for model in MODELS if model not in THINKERS])
def test_y4_thoughts_of_who_does_not_sign_them(make, provider, model):
    """The thoughts are shown, and do not disturb the provider to which they are sent back."""
    provider.calls(model, *CALLS, thinking="Two things to find out.")
    provider.says(model, "Sun at noon.")
    found, result = run(make(model, tools=[weather, now]), True)
    assert found == "Sun at noon."
    assert thoughts(result)[0] == "Two things to find out."
    assert results_in(provider.last()) == ["3 days of sun in Köln 🌦", "noon"]
